import type { Alignment } from "@tts-labs/core/audio/alignment";
import { TextFollower } from "@tts-labs/core/audio/text-follower";
import type { AudioEntry } from "@tts-labs/core/session/entries";
import { isLongSpoken, isSpace, wordEnd } from "@tts-labs/protocol/words/word-starts";

/** Typical speech, for a provider that gives no times while the utterance is not complete. */
const CHARACTERS_PER_SECOND = 15;
/** A character of Han or kana is spoken as long as so many of other scripts. */
const LETTERS_PER_CHARACTER = 3;
/** Samples and milliseconds of the same moment differ by so much. */
const ROUNDING_MS = 1;
/** Sound that goes on for longer behind the last timed character has words of its own. */
const TAIL_MS = 1_500;

export interface HeardCut {
  readonly textHeard: string;
  readonly textLeft: string;
  /** Whether the provider's times were known, to the place of the cut. */
  readonly isTimed: boolean;
}

/** The last character of the text that is known to have begun, and when. */
interface Begun {
  /** -1: none has. */
  readonly char: number;
  readonly ms: number;
  /** Nothing more is known from there on. */
  readonly isLost: boolean;
}

/**
 * When each character of an utterance is spoken, as far as its audio has been read: for a cut to the word, in every
 * script. Characters are held against the client's text when the cut is made (`TextFollower`). Keeps a time for each
 * character that is not white space; the worker bounds them by the length of the text.
 */
export class HeardText {
  /** UTF-16 code units, and when each begins on the utterance's clock; rising. */
  readonly #units: string[] = [];
  readonly #startsMs: number[] = [];
  /** Audio from before what was seen is gone from the stream: how many characters it held is not known. */
  #isPartial = false;
  /** Of a partial one: a place in the text, and how many of the units seen come before it. */
  #anchor: { readonly char: number; readonly units: number } | undefined;
  #entries = 0;

  take({ firstSample, alignment, splice, resume }: AudioEntry, sampleRateHz: number): void {
    if (this.#entries++ === 0 && firstSample > 0) this.#isPartial = true;
    if (splice) this.#forgetFrom((firstSample * 1_000) / sampleRateHz);
    if (alignment !== undefined) this.#learn(alignment);
    if (!this.#isPartial || resume === undefined || resume.estimated) return;
    const ms = (resume.sample * 1_000) / sampleRateHz;
    this.#anchor = { char: resume.char - (resume.untimed ?? 0), units: this.#countBefore(ms - ROUNDING_MS) };
  }

  #learn({ chars, startMs }: Alignment): void {
    for (const [i, item] of chars.entries()) {
      for (let unit = 0; unit < item.length; unit++) {
        if (isSpace(item.charAt(unit))) continue;
        this.#units.push(item.charAt(unit));
        this.#startsMs.push(startMs[i] ?? 0);
      }
    }
  }

  /**
   * Cuts `text` after the last word whose beginning lies before `heardMs`.
   * @param totalMs of the whole utterance, where that is known already
   */
  cut(text: string, heardMs: number, totalMs: number | undefined): HeardCut {
    if (heardMs <= 0) return cutAfterWord(text, -1, true);
    const begun = this.#lastBegun(text, heardMs);
    if (begun !== undefined && !begun.isLost && !this.#isBehindTimes(text, begun, heardMs)) {
      return cutAfterWord(text, begun.char, true);
    }
    const { char, ms } = begun ?? { char: -1, ms: 0 };
    const leftMs = Math.max(0, heardMs - ms);
    const reached =
      totalMs === undefined || totalMs <= ms
        ? afterSpeech(text, char + 1, (leftMs * CHARACTERS_PER_SECOND) / 1_000)
        : char + 1 + Math.floor(((text.length - char - 1) * leftMs) / (totalMs - ms));
    return cutAfterWord(text, Math.min(text.length, reached), false);
  }

  /** `undefined` where no times are known, or not what they are of. */
  #lastBegun(text: string, heardMs: number): Begun | undefined {
    const from = this.#isPartial ? this.#beginning(text) : 0;
    const count = this.#countBefore(heardMs);
    if (from === undefined || this.#units.length === 0 || (this.#isPartial && count === 0)) return undefined;
    const follower = new TextFollower(() => text, from);
    let begun: Begun = { char: from - 1, ms: 0, isLost: false };
    for (let i = 0; i < count; i++) {
      const match = follower.follow(this.#units[i] ?? "");
      const ms = this.#startsMs[i] ?? 0;
      if (match.kind === "lost") return { char: match.char - 1, ms, isLost: true };
      if (match.kind === "at") begun = { char: match.char, ms, isLost: false };
    }
    return begun;
  }

  /** All times have passed, there is text left, and the sound has gone on for longer than a pause. */
  #isBehindTimes(text: string, { char }: Begun, heardMs: number): boolean {
    const lastMs = this.#startsMs.at(-1) ?? 0;
    return heardMs > lastMs + TAIL_MS && /[\p{L}\p{N}]/u.test(text.slice(wordEnd(text, Math.max(0, char))));
  }

  /** The place of the first unit seen in the text; `undefined` where that is not known. */
  #beginning(text: string): number | undefined {
    if (this.#anchor === undefined) return undefined;
    let { char, units } = this.#anchor;
    while (units > 0 && char > 0) if (!isSpace(text.charAt(--char))) units -= 1;
    return char;
  }

  #countBefore(ms: number): number {
    return this.#startsMs.findLastIndex((startMs) => startMs < ms) + 1;
  }

  /** What was spoken from here on is replaced; the word that begins here is spoken anew. */
  #forgetFrom(ms: number): void {
    const left = this.#countBefore(ms);
    this.#startsMs.length = left;
    this.#units.length = left;
  }
}

/** Just behind so much speech from `char` on, in characters of scripts with letters. */
function afterSpeech(text: string, char: number, characters: number): number {
  let at = char;
  for (let left = characters; left >= 1 && at < text.length; at++) {
    left -= isLongSpoken(text.charAt(at)) ? LETTERS_PER_CHARACTER : 1;
  }
  return at;
}

/** Behind the word at `index` and the white space after it; nothing for -1. */
function cutAfterWord(text: string, index: number, isTimed: boolean): HeardCut {
  let end = Math.max(index, 0);
  if (index >= 0 && index < text.length && !isSpace(text.charAt(index))) end = wordEnd(text, index);
  while (index >= 0 && end < text.length && isSpace(text.charAt(end))) end++;
  return { textHeard: text.slice(0, end), textLeft: text.slice(end), isTimed };
}
