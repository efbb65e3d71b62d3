import { randomBytes } from "node:crypto";
import type {
  EntryData,
  ReadResult,
  StreamEntry,
  StreamReader,
  StreamRef,
} from "@tts-labs/core/stream/stream";

/** A stream that no other test uses. */
export const newStream = (): StreamRef => ({
  tag: `utt_${randomBytes(9).toString("base64url")}`,
  name: "audio",
});

export const TTL_MS = 30_000;

/** An entry whose bytes tell which one it is. */
export function entry(number: number, bytes = 100): EntryData {
  const body = new Uint8Array(bytes);
  for (let index = 0; index < bytes; index += 1) body[index] = (number * 31 + index * 7) & 0xff;
  return { head: JSON.stringify({ n: number }), body };
}

export const entries = (from: number, to: number, bytes?: number): EntryData[] =>
  Array.from({ length: to - from + 1 }, (_, index) => entry(from + index, bytes));

/** Which entry it is by its head; throws where its bytes are not those of `entry(number)`. */
export function numberOf(read: StreamEntry): number {
  const { n } = JSON.parse(read.head) as { n: number };
  if (Buffer.compare(read.body, entry(n, read.body.byteLength).body) !== 0) {
    throw new Error(`entry ${read.seq} is not what was written as ${n}`);
  }
  return n;
}

export interface Told {
  readonly seqs: readonly number[];
  readonly numbers: readonly number[];
  readonly last: ReadResult;
}

/** Reads, and releases what it has read, until the stream ends, is lost, or `until` entries are there. */
export async function readAll(
  reader: StreamReader,
  options: { readonly until?: number; readonly perRead?: number; readonly release?: boolean } = {},
): Promise<Told> {
  const seqs: number[] = [];
  const numbers: number[] = [];
  for (;;) {
    const result = await reader.read(options.perRead ?? 16, AbortSignal.timeout(20_000));
    if (result.kind !== "entries") return { seqs, numbers, last: result };
    for (const read of result.entries) {
      seqs.push(read.seq);
      numbers.push(numberOf(read));
    }
    if (options.release ?? true) reader.advance(seqs.at(-1) ?? 0);
    if (seqs.length >= (options.until ?? Number.POSITIVE_INFINITY)) return { seqs, numbers, last: result };
  }
}

export const upTo = (last: number, first = 1): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
