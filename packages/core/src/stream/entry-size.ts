import { GatewayError } from "../errors.ts";
import { MAX_ENTRY_BYTES } from "../limits.ts";
import type { EntryData } from "./stream.ts";

/** What an entry counts against the bound. @throws GatewayError `internal` for a body longer than an entry's may be */
export function sizeOf(entry: EntryData): number {
  if (entry.body.byteLength > MAX_ENTRY_BYTES) {
    throw new GatewayError("internal", "An entry's body is longer than MAX_ENTRY_BYTES.");
  }
  return Buffer.byteLength(entry.head) + entry.body.byteLength;
}
