import { GatewayError } from "@tts-labs/protocol/errors";
import type { Command, Reply } from "../redis/tick-batch.ts";
import { sizeOf } from "./entry-size.ts";
import type { EntryData } from "./stream.ts";
import { encodePlace, type Place } from "./stream-keys.ts";

/** One XADD per entry, numbered on from `after`; none makes a stream that is not there. */
export function toAppendCommands(key: string, entries: readonly EntryData[], after: Place): Command[] {
  let { seq, bytes } = after;
  return entries.map((entry) => {
    seq += 1;
    bytes += sizeOf(entry);
    const body = toBuffer(entry.body);
    return { name: "xadd", args: [key, "NOMKSTREAM", encodePlace(seq, bytes), "h", entry.head, "b", body] };
  });
}

/** The same bytes, as ioredis takes them. */
export const toBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

/**
 * Of the replies to XADD, one per entry: `refused` where a number was not above the last one, or the error for
 * which to send them all again, or not.
 */
export function outcomeOf(replies: readonly Reply[]): "added" | "refused" | Error {
  let outcome: "added" | "refused" | Error = "added";
  for (const [error, id] of replies) {
    if (error?.message.includes("equal or smaller")) {
      if (outcome === "added") outcome = "refused";
    } else if (error !== null) {
      outcome = error;
    } else if (id === null || outcome instanceof Error) {
      return new GatewayError("stream.lost");
    }
  }
  return outcome;
}
