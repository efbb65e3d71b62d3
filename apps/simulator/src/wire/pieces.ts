import { createHash } from "node:crypto";
import { randomNumbers } from "../timing.ts";

/** How a generation's audio is cut into messages (docs/elevenlabs.md 8.2; beyond about 1 s a guess). */
const ONE_PIECE_MS = 1_500;
const SHORTEST_PIECE_MS = 200;
const FIRST_PIECE_MS: readonly [number, number] = [200, 400];
const PIECE_MS: readonly [number, number] = [400, 1_000];

/**
 * How far the audio of a message may lag behind its timings, in ms. The service holds back the end of what it has
 * made until more audio follows or the text ends: recorded timings and audio of one message differ by up to 36 ms,
 * those of an utterance agree (docs/elevenlabs.md 1.4).
 */
export const MAX_LAG_MS = 36;
/**
 * What is held back of the last generation, sent as a small message of its own: recorded with and without auto mode.
 */
const LAST_LAG_MS: readonly [number, number] = [9, 10.3];
const LAST_CLIP_LAG_MS: readonly [number, number] = [32, 33.5];

/** Sizes of the pieces of a streamed HTTP answer: 26 were recorded, 16 of them odd, whatever the size of a sample. */
const STREAM_PIECE_BYTES: readonly [number, number] = [279, 16_656];

/** Sizes of the pieces of a streamed answer, without end; the same for the same key. Small ones are the commoner. */
export function* streamPieceBytes(key: string): Generator<number, never> {
  const random = seeded(key);
  const [least, most] = STREAM_PIECE_BYTES;
  const oddShare = 16 / 26;
  while (true) {
    const bytes = Math.floor(least * (most / least) ** random());
    const odd = random() < oddShare;
    yield (bytes % 2 === 1) === odd ? bytes : Math.min(most - 1, bytes + 1);
  }
}

/** One message's share of a generation, in samples of the generation's own clock. */
export interface Piece {
  /** The place where its audio ends. */
  readonly audioEnd: number;
  /** Where its timings end: at a character's border, at most `MAX_LAG_MS` after `audioEnd`. */
  readonly timedEnd: number;
}

export interface PieceOptions {
  readonly sampleRateHz: number;
  /** Names what is spoken; the same generation is always cut alike. */
  readonly key: string;
  /** First samples of the characters. */
  readonly starts: readonly number[];
  /** No generation follows. */
  readonly last: boolean;
  readonly autoMode: boolean;
  /** Samples of the generation before that go first. */
  readonly headStart?: number;
  /** A further end that a fault asks for, exact to the sample; in the head start where it is below 0. */
  readonly cutAt?: number | undefined;
}

const seeded = (key: string) => randomNumbers(createHash("sha256").update(key).digest().readUInt32LE(0));

/** The pieces of a generation of `samples`; what lies behind the last one's `audioEnd` is held back. */
export function cutPieces(samples: number, options: PieceOptions): Piece[] {
  const { sampleRateHz, starts, last, autoMode, cutAt } = options;
  const random = seeded(options.key);
  const toSamples = (ms: number) => Math.round((ms * sampleRateHz) / 1000);
  const between = ([from, to]: readonly [number, number]) => toSamples(from + (to - from) * random());
  const lastLag: readonly [number, number] = autoMode ? LAST_CLIP_LAG_MS : LAST_LAG_MS;
  const held = Math.min(between(last ? lastLag : [0, MAX_LAG_MS]), Math.floor(samples / 2));
  const pieces: Piece[] = [];
  if (samples > toSamples(ONE_PIECE_MS)) {
    const shortest = toSamples(SHORTEST_PIECE_MS);
    for (let end = between(FIRST_PIECE_MS); end < samples - held - shortest; end += between(PIECE_MS)) {
      const timedEnd = nearest(starts, end);
      const audioEnd = timedEnd - between([0, MAX_LAG_MS]);
      if (audioEnd > (pieces.at(-1)?.timedEnd ?? 0)) pieces.push({ audioEnd, timedEnd });
    }
  }
  pieces.push({ audioEnd: samples - held, timedEnd: samples });
  return cutAt === undefined || cutAt <= -(options.headStart ?? 0) ? pieces : cutOnceMore(pieces, cutAt);
}

/** Audio that was held back and not cut is one piece, or two for a fault's sake. */
export const cutHeld = (samples: number, cutAt?: number): number[] =>
  cutAt !== undefined && cutAt > 0 && cutAt < samples ? [cutAt, samples] : [samples];

function cutOnceMore(pieces: readonly Piece[], cutAt: number): Piece[] {
  const place = pieces.findIndex(({ audioEnd }) => audioEnd >= cutAt);
  if (place < 0 || pieces[place]?.audioEnd === cutAt) return [...pieces];
  return pieces.toSpliced(place, 0, { audioEnd: cutAt, timedEnd: Math.max(0, cutAt) });
}

/** The character's border nearest to `place`. Borders are in order. */
function nearest(starts: readonly number[], place: number): number {
  const after = starts.findIndex((start) => start >= place);
  if (after < 0) return starts.at(-1) ?? place;
  const [above = place, below = above] = [starts[after], starts[after - 1]];
  return above - place < place - below ? above : below;
}
