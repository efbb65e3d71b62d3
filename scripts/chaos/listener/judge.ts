import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import type { HeardUtterance, Segment } from "./heard.ts";
import type { Truth, Truths } from "./truth.ts";

/** What one utterance's listener missed, or got that should not be there. All figures in samples but the words. */
export interface Verdict {
  /** Samples that never came without a word: the utterance went on, or was called complete, without them. */
  readonly lost: number;
  /** Never came, but the utterance ended with a typed error. */
  readonly lostTold: number;
  /** Behind the last letter: a new owner who finds every word spoken has nothing to say. */
  readonly pauseCut: number;
  readonly duplicated: number;
  /** Speech of the same text from another place. */
  readonly reordered: number;
  /** Samples that are not the voice's at all. */
  readonly wrong: number;
  /** Came, and was replaced by what followed a splice. */
  readonly replaced: number;
  readonly splices: number;
  /** Words left out at a splice. */
  readonly wordsMissing: number;
  /** Words heard twice beyond the one being spoken at a splice. */
  readonly wordsRepeated: number;
}

/** A splice's sample comes from an alignment in whole milliseconds, of a rendering cut at a word. */
const WORD_TOLERANCE_SAMPLES = 40 * 24;
/** Alignments are in whole milliseconds. */
const ROUNDING_SAMPLES = 24;
/** Samples of a segment that tell which rendering it is of. */
const PROBE_BYTES = 4_800 * BYTES_PER_SAMPLE;
/** Words to either side of the expected one at which a continuation may have begun, for telling how far off it is. */
const SEARCHED_WORDS = 6;

/** The place where a segment's text begins in the utterance's. */
interface Place {
  readonly char: number;
  readonly truth: Truth;
}

/** Holds what came against the voice's own rendering of the text, and of its rest from each splice on. */
export async function judge(heard: HeardUtterance, truths: Truths): Promise<Verdict> {
  const { text, voice, segments, end } = heard;
  let place: Place = { char: 0, truth: await truths.of(text, voice) };
  let firstSample = 0;
  const sum = { reordered: 0, wrong: 0, replaced: 0, wordsMissing: 0, wordsRepeated: 0 };
  let left = place.truth.samples;
  let extra = 0;
  for (const [i, segment] of segments.entries()) {
    const pcm = Buffer.concat(segment.parts);
    if (i > 0) {
      const at = segment.firstSample - firstSample;
      const before = segments[i - 1];
      const replaced = before === undefined ? 0 : Math.max(0, endOf(before) - segment.firstSample);
      const expected = wordAt(place.truth, at);
      const found = await findPlace(place, expected, pcm, (rest) => truths.of(rest, voice), text);
      const skipped = found.word - expected;
      sum.replaced += replaced;
      sum.wordsMissing += Math.max(0, skipped);
      sum.wordsRepeated += Math.max(0, -skipped) + beyondOne(place.truth, at, replaced);
      place = found.place;
      firstSample = segment.firstSample;
    }
    const next = segments[i + 1];
    // What was replaced was sound as well, until it was replaced.
    const { reordered, wrong } = compare(pcm, place.truth.pcm);
    sum.reordered += reordered;
    sum.wrong += wrong;
    left = Math.max(0, place.truth.samples - segment.samples);
    extra = Math.max(0, segment.samples - place.truth.samples);
    if (next === undefined) break;
  }
  const told = end?.kind === "failed";
  const isPause = left > 0 && place.truth.samples - left >= place.truth.saidSample - ROUNDING_SAMPLES;
  return {
    ...sum,
    wrong: sum.wrong + (extra > 0 && sum.wrong === 0 ? extra : 0),
    lost: heard.skippedSamples + (told || isPause ? 0 : left),
    lostTold: told ? left : 0,
    pauseCut: !told && isPause ? left : 0,
    duplicated: heard.duplicatedSamples,
    splices: segments.length - 1,
  };
}

const endOf = (segment: Segment): number => segment.firstSample + segment.samples;

/** Index of the word that begins at this sample, or of the next one. */
function wordAt(truth: Truth, sample: number): number {
  const index = truth.words.findIndex((word) => word.firstSample >= sample - WORD_TOLERANCE_SAMPLES);
  return index < 0 ? truth.words.length : index;
}

/** Words begun in what was replaced, but for the one being spoken. */
function beyondOne(truth: Truth, sample: number, replaced: number): number {
  const until = sample + replaced - WORD_TOLERANCE_SAMPLES;
  const from = sample - WORD_TOLERANCE_SAMPLES;
  const begun = truth.words.filter((word) => word.firstSample >= from && word.firstSample < until);
  return Math.max(0, begun.length - 1);
}

/** The word at which the continuation really begins: the expected one, else the nearest that sounds like it. */
async function findPlace(
  before: Place,
  expected: number,
  pcm: Buffer,
  truthOf: (rest: string) => Promise<Truth>,
  text: string,
): Promise<{ readonly word: number; readonly place: Place }> {
  const { words } = before.truth;
  const placeOf = async (word: number): Promise<Place> => {
    const char = before.char + (words[word]?.char ?? text.length - before.char);
    return { char, truth: await truthOf(text.slice(char)) };
  };
  const first = await placeOf(expected);
  for (const distance of Array.from(
    { length: SEARCHED_WORDS * 2 + 1 },
    (_, i) => ((i + 1) >> 1) * (i % 2 ? 1 : -1),
  )) {
    const word = expected + distance;
    if (word < 0 || word > words.length) continue;
    const place = distance === 0 ? first : await placeOf(word);
    if (sounds(pcm, place.truth.pcm)) return { word, place };
  }
  return { word: expected, place: first };
}

function sounds(pcm: Buffer, truth: Buffer): boolean {
  const length = Math.min(pcm.byteLength, PROBE_BYTES);
  return truth.byteLength >= length && pcm.subarray(0, length).equals(truth.subarray(0, length));
}

/** Samples that are not those of the truth: speech from elsewhere in it, or nothing it knows. */
function compare(pcm: Buffer, truth: Buffer): { readonly reordered: number; readonly wrong: number } {
  const length = Math.min(pcm.byteLength, truth.byteLength);
  if (pcm.subarray(0, length).equals(truth.subarray(0, length))) return { reordered: 0, wrong: 0 };
  let reordered = 0;
  let wrong = 0;
  for (let at = 0; at < length; at += COMPARED_BYTES) {
    const part = pcm.subarray(at, Math.min(length, at + COMPARED_BYTES));
    if (part.equals(truth.subarray(at, at + part.byteLength))) continue;
    if (truth.includes(part) && !isSilent(part)) reordered += part.byteLength / BYTES_PER_SAMPLE;
    else wrong += part.byteLength / BYTES_PER_SAMPLE;
  }
  return { reordered, wrong };
}

/** Small enough that a part lies within one frame of any size mostly used. */
const COMPARED_BYTES = 240 * BYTES_PER_SAMPLE;

const isSilent = (part: Buffer): boolean => part.every((byte) => byte === 0);
