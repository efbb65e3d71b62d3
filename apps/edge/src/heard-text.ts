import type { Alignment } from "@tts-labs/core/audio/alignment";
import type { AudioEntry } from "@tts-labs/core/session/entries";

/** Where a provider tells no times and the utterance is not complete: typical speech. */
const CHARACTERS_PER_SECOND = 15;
/** Samples and milliseconds of the same moment differ by so much. */
const ROUNDING_MS = 1;
const NOT_SPACE = /\S/g;
/** To the end of the word at a place, and over the white space behind it. */
const REST_OF_WORD = /\S*\s*/y;

export interface HeardCut {
  readonly textHeard: string;
  readonly textLeft: string;
  /** Whether the provider's times were known, to the place of the cut. */
  readonly isTimed: boolean;
}

/**
 * When each word of an utterance is spoken, as far as its audio has been read: for a cut to the word. Aligned
 * characters and the client's text are matched by counting what is not white space, which providers change. Keeps
 * two numbers a word, of at most `MAX_UTTERANCE_CHARACTERS`.
 */
export class HeardText {
  /** By word: when it begins, on the utterance's clock, and the characters before it. */
  readonly #startsMs: number[] = [];
  readonly #charactersBefore: number[] = [];
  #characters = 0;
  #isInWord = false;
  /** Audio from before what was seen is gone from the stream: how many characters it held is not known. */
  #isPartial = false;
  /** Of a partial one: a character of the text, and how many of those seen come before it. */
  #anchor: { readonly char: number; readonly characters: number } | undefined;
  #entries = 0;

  take({ firstSample, alignment, splice, resume }: AudioEntry, sampleRateHz: number): void {
    if (this.#entries++ === 0 && firstSample > 0) this.#isPartial = true;
    if (splice) this.#forgetFrom((firstSample * 1_000) / sampleRateHz);
    if (alignment !== undefined) this.#learn(alignment);
    if (!this.#isPartial || resume === undefined || resume.estimated) return;
    const ms = (resume.sample * 1_000) / sampleRateHz;
    const word = this.#startsMs.findIndex((startMs) => startMs > ms - ROUNDING_MS);
    this.#anchor = { char: resume.char, characters: this.#charactersBefore[word] ?? this.#characters };
  }

  #learn(alignment: Alignment): void {
    for (const [i, char] of alignment.chars.entries()) {
      if (char.trim() === "") {
        this.#isInWord = false;
        continue;
      }
      if (!this.#isInWord) {
        this.#startsMs.push(alignment.startMs[i] ?? 0);
        this.#charactersBefore.push(this.#characters);
      }
      this.#isInWord = true;
      this.#characters += char.trim().length;
    }
  }

  /**
   * Cuts `text` after the last word whose beginning lies before `heardMs`.
   * @param totalMs of the whole utterance, where that is known already
   */
  cut(text: string, heardMs: number, totalMs: number | undefined): HeardCut {
    if (heardMs <= 0) return cutAfterWord(text, undefined, true);
    const unseen = this.#isPartial ? this.#unseenCharacters(text) : 0;
    const word = this.#startsMs.findLastIndex((startMs) => startMs < heardMs);
    const before = this.#charactersBefore[word];
    if (unseen !== undefined && before !== undefined) {
      return cutAfterWord(text, indexOfCharacter(text, unseen + before), true);
    }
    // Silence before the first word.
    if (unseen === 0 && this.#startsMs.length > 0) return cutAfterWord(text, undefined, true);
    const perMs = totalMs === undefined ? CHARACTERS_PER_SECOND / 1_000 : text.length / totalMs;
    return cutAfterWord(text, Math.min(text.length, Math.floor(heardMs * perMs)), false);
  }

  /** Characters before the first one seen; `undefined` where nobody knows. */
  #unseenCharacters(text: string): number | undefined {
    if (this.#anchor === undefined) return undefined;
    const { char, characters } = this.#anchor;
    return Math.max(0, text.slice(0, char).replace(/\s/g, "").length - characters);
  }

  /** What was spoken from here on is replaced; the word that begins here is spoken anew. */
  #forgetFrom(ms: number): void {
    const first = this.#startsMs.findIndex((startMs) => startMs >= ms);
    this.#isInWord = false;
    if (first < 0) return;
    this.#characters = this.#charactersBefore[first] ?? this.#characters;
    this.#startsMs.length = first;
    this.#charactersBefore.length = first;
  }
}

/** Where the character stands that has `before` others before it, white space not counted. */
function indexOfCharacter(text: string, before: number): number {
  let seen = 0;
  for (const { index } of text.matchAll(NOT_SPACE)) {
    if (seen === before) return index;
    seen += 1;
  }
  return text.length;
}

function cutAfterWord(text: string, index: number | undefined, isTimed: boolean): HeardCut {
  if (index === undefined) return { textHeard: "", textLeft: text, isTimed };
  REST_OF_WORD.lastIndex = index;
  const end = index + (REST_OF_WORD.exec(text)?.[0].length ?? 0);
  return { textHeard: text.slice(0, end), textLeft: text.slice(end), isTimed };
}
