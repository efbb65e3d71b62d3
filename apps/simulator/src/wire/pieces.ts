import { createHash } from "node:crypto";
import { randomNumbers } from "../timing.ts";

/** How a generation's audio is cut into messages (reference/elevenlabs.md 8.2; beyond about 1 s a guess). */
const ONE_PIECE_MS = 1_500;
const SHORTEST_PIECE_MS = 200;
const FIRST_PIECE_MS: readonly [number, number] = [200, 400];
const PIECE_MS: readonly [number, number] = [400, 1_000];
/** The small piece that ends every recorded generation: 436 and 494 bytes at 24 kHz. */
const TAIL_MS: readonly [number, number] = [9, 10.3];

/**
 * Samples at which the pieces end, the last being `samples`. The same generation is always cut alike.
 * @param cutAt a further end that a fault asks for
 */
export function pieceEnds(samples: number, sampleRateHz: number, key: string, cutAt?: number): number[] {
  const random = randomNumbers(createHash("sha256").update(key).digest().readUInt32LE(0));
  const between = ([from, to]: readonly [number, number]) =>
    Math.round(((from + (to - from) * random()) * sampleRateHz) / 1000);
  const tail = between(TAIL_MS);
  const ends: number[] = [];
  if ((samples * 1000) / sampleRateHz > ONE_PIECE_MS) {
    for (let end = between(FIRST_PIECE_MS); end < samples - tail; end += between(PIECE_MS)) ends.push(end);
  }
  if (samples > 2 * tail) {
    const body = samples - tail;
    const shortest = (SHORTEST_PIECE_MS * sampleRateHz) / 1000;
    while ((ends.at(-1) ?? 0) > body - shortest && ends.length > 0) ends.pop();
    ends.push(body);
  }
  ends.push(samples);
  if (cutAt === undefined || cutAt <= 0 || cutAt >= samples || ends.includes(cutAt)) return ends;
  return [...ends, cutAt].sort((a, b) => a - b);
}
