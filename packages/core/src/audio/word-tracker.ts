import { msToSamples, samplesToMs } from "@tts-labs/protocol/audio/pcm";
import {
  isLetter,
  isLongSpoken,
  isSpace,
  isWordStart,
  wordEnd,
  wordStart,
} from "@tts-labs/protocol/words/word-starts";
import type { Alignment } from "./alignment.ts";
import { type Match, TextFollower } from "./text-follower.ts";

export { isWordStart } from "@tts-labs/protocol/words/word-starts";

/** The place where an utterance is to be continued: a word's beginning, in its text and in its audio. */
export interface ResumePoint {
  /** Index of the word in the utterance's whole text, in UTF-16 code units; or the end of the text. */
  readonly char: number;
  /** On the utterance's clock. What was made from here on is to be replaced. */
  readonly sample: number;
  /** The provider gave no times that fit the text: reckoned from how fast people speak. */
  readonly estimated?: true;
  /**
   * Characters right before `char` that have no times yet: the marks of the word before. Absent where there are none.
   */
  readonly untimed?: number;
}

export interface WordTrackerOptions {
  /** The utterance's whole text as far as it is known. */
  readonly text: () => string;
  readonly sampleRateHz: number;
  /** What is spoken begins here. */
  readonly from: { readonly char: number; readonly sample: number };
}

interface SpokenWord {
  readonly char: number;
  readonly startMs: number;
  /** End of its last letter: the pause behind it is not part of it. */
  endMs: number;
}

/** The last place at which the text and the provider's times were known to agree. */
interface Anchor {
  readonly char: number;
  readonly ms: number;
}

/** Slow speech rather than fast: a word too many is better than a word too few. */
const CHARS_PER_MS = 0.013;
/** Times that cover so little are no measure of how fast the voice speaks. */
const MEASURABLE_MS = 1_000;
/** Spoken units that count as letters of other scripts: one character of Han or kana takes as long as these. */
const LETTERS_PER_CHARACTER = 3;
/** Audio beyond the last timed character that passes for the pause behind it. */
const PAUSE_MS = 400;
/** Distance beyond the last timed letter of a word within which a few letters without times count as spoken. */
const UNTIMED_LETTERS_MS = 250;
const MAX_UNTIMED_LETTERS = 3;
/** Times are rounded to milliseconds on their way. */
const ROUNDING_MS = 1;

/**
 * Follows how far an utterance's text has been spoken, word by word.
 *
 * Times come per character of the text as the provider understood it, see `TextFollower`. Where they differ in a
 * letter (a number read out, say), times no longer tell the place, and from that word on it is reckoned from the pace
 * so far.
 *
 * Times must be given before `at` is asked for the audio they belong to; `at` is asked in order.
 */
export class WordTracker {
  readonly #options: WordTrackerOptions;
  /** Timed words that are not over yet, in order. */
  #words: SpokenWord[] = [];
  readonly #follower: TextFollower;
  /** The next place where words behind `#wordStart` are looked for. */
  #scanned: number;
  /** Beginning of the word that holds the last character timed: words may be as long as the text. */
  #wordStart: number;
  #timedUntilMs: number;
  #lost: Anchor | undefined;

  constructor(options: WordTrackerOptions) {
    this.#options = options;
    this.#follower = new TextFollower(options.text, options.from.char);
    this.#scanned = options.from.char;
    this.#wordStart = options.from.char;
    this.#timedUntilMs = samplesToMs(options.from.sample, options.sampleRateHz);
  }

  /** On the utterance's clock. */
  hear({ chars, startMs, durationMs }: Alignment): void {
    for (const [i, char] of chars.entries()) {
      const start = startMs[i] ?? this.#timedUntilMs;
      const end = start + (durationMs[i] ?? 0);
      if (this.#lost !== undefined) return;
      for (let unit = 0; unit < char.length; unit++) this.#match(char.charAt(unit), start, end);
      this.#timedUntilMs = Math.max(this.#timedUntilMs, end);
    }
  }

  /** The place to go on from after `endSample`. */
  at(endSample: number): ResumePoint {
    const { sampleRateHz } = this.#options;
    const endMs = samplesToMs(endSample, sampleRateHz);
    const isOver = (word: SpokenWord) =>
      word.endMs <= endMs + ROUNDING_MS && !this.#isUnfinished(word, endMs);
    const current = this.#words.findIndex((word) => !isOver(word));
    this.#words = current < 0 ? [] : this.#words.slice(current);
    const [word] = this.#words;
    if (word !== undefined) {
      return { char: word.char, sample: Math.min(endSample, msToSamples(word.startMs, sampleRateHz)) };
    }
    if (this.#lost !== undefined) return this.#reckon(this.#lost, endSample);
    const following = { char: this.#followingWord(), ms: this.#timedUntilMs };
    const isPause = this.#hasTimes && endMs - following.ms <= PAUSE_MS;
    if (isPause || this.#isOverAt(following.char)) {
      const untimed = this.#untimedBefore(following.char);
      return { char: following.char, sample: endSample, ...(untimed === 0 ? {} : { untimed }) };
    }
    return this.#reckon(following, endSample);
  }

  get #hasTimes(): boolean {
    return this.#timedUntilMs > samplesToMs(this.#options.from.sample, this.#options.sampleRateHz);
  }

  get #next(): number {
    return this.#follower.next;
  }

  #match(unit: string, startMs: number, endMs: number): void {
    const match: Match = this.#follower.follow(unit);
    if (match.kind === "passed") return;
    const text = this.#options.text();
    if (match.kind === "lost") {
      this.#loseWord(match.char, startMs);
      return;
    }
    for (; this.#scanned <= match.char; this.#scanned++) {
      if (isWordStart(text, this.#scanned)) this.#wordStart = this.#scanned;
    }
    const char = this.#wordStart;
    const last = this.#words.at(-1);
    if (last?.char !== char) this.#words.push({ char, startMs, endMs });
    else if (isLetter(unit)) last.endMs = endMs;
  }

  /** Goes back to the beginning of the word that does not fit. */
  #loseWord(at: number, startMs: number): void {
    const char = Math.max(wordStart(this.#options.text(), at), this.#options.from.char);
    let begunMs: number | undefined;
    // Words behind it were found by mistake.
    for (let last = this.#words.at(-1); last !== undefined && last.char >= char; last = this.#words.at(-1)) {
      begunMs = last.startMs;
      this.#words.pop();
    }
    this.#lost = { char, ms: begunMs ?? startMs };
  }

  /** Letters of the word still await their times. Where sound goes on without, a few of them were left out. */
  #isUnfinished(word: SpokenWord, endMs: number): boolean {
    if (word.char !== this.#wordStart) return false;
    const text = this.#options.text();
    const most = endMs >= word.endMs + UNTIMED_LETTERS_MS ? MAX_UNTIMED_LETTERS : 0;
    let letters = 0;
    for (let at = this.#next; at < text.length && !isWordBreak(text, at); at++) {
      if (isLetter(text.charAt(at)) && ++letters > most) return true;
    }
    return false;
  }

  #untimedBefore(char: number): number {
    return /\S/.test(this.#options.text().slice(this.#next, char)) ? char - this.#next : 0;
  }

  #followingWord(): number {
    const text = this.#options.text();
    let at = this.#next;
    if (at > this.#options.from.char && !isWordStart(text, at)) at = wordEnd(text, at);
    while (isSpace(text.charAt(at))) at++;
    return at;
  }

  #isOverAt(char: number): boolean {
    const text = this.#options.text();
    return char >= text.length || text.slice(char).trim() === "";
  }

  #reckon(anchor: Anchor, endSample: number): ResumePoint {
    const { from, sampleRateHz } = this.#options;
    const text = this.#options.text();
    const timedMs = this.#timedUntilMs - samplesToMs(from.sample, sampleRateHz);
    const pace =
      timedMs >= MEASURABLE_MS ? lettersIn(text.slice(from.char, this.#next)) / timedMs : CHARS_PER_MS;
    const spoken = Math.max(0, samplesToMs(endSample, sampleRateHz) - anchor.ms) * pace;
    // Never the end of the text: that all was spoken can't be reckoned.
    const reached = Math.min(afterLetters(text, anchor.char, spoken), text.trimEnd().length - 1);
    const char = Math.max(anchor.char, wordStart(text, reached));
    const sample = char === anchor.char ? msToSamples(anchor.ms, sampleRateHz) : endSample;
    return { char, sample: Math.min(sample, endSample), estimated: true };
  }
}

/** Whether the word before `at` is over there. */
const isWordBreak = (text: string, at: number): boolean => isSpace(text.charAt(at)) || isWordStart(text, at);

/** Just behind so many letters' worth of speech from `char` on. */
function afterLetters(text: string, char: number, letters: number): number {
  let at = char;
  for (let left = letters; left >= 1 && at < text.length; at++) {
    left -= isLongSpoken(text.charAt(at)) ? LETTERS_PER_CHARACTER : 1;
  }
  return at;
}

/** What `text` counts in letters of scripts that have some. */
function lettersIn(text: string): number {
  let letters = 0;
  for (let at = 0; at < text.length; at++)
    letters += isLongSpoken(text.charAt(at)) ? LETTERS_PER_CHARACTER : 1;
  return letters;
}
