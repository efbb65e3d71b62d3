import { GatewayError } from "@tts-labs/protocol/errors";
import { MAX_ENTRY_BYTES, MAX_ENTRY_HEAD_BYTES } from "@tts-labs/protocol/limits";
import type { EntryData } from "./stream.ts";

/**
 * What an entry counts against the bound. @throws GatewayError `internal` for a head or body longer than an entry's may
 * be
 */
export function sizeOf(entry: EntryData): number {
  const headBytes = Buffer.byteLength(entry.head);
  if (entry.body.byteLength > MAX_ENTRY_BYTES) {
    throw new GatewayError("internal", "An entry's body is longer than MAX_ENTRY_BYTES.");
  }
  if (headBytes > MAX_ENTRY_HEAD_BYTES) {
    throw new GatewayError("internal", "An entry's head is longer than MAX_ENTRY_HEAD_BYTES.");
  }
  return headBytes + entry.body.byteLength;
}
