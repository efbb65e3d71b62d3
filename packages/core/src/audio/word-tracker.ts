import type { Alignment } from "./alignment.ts";
import { msToSamples, samplesToMs } from "./pcm.ts";

/** Where an utterance is to be continued: at a word's beginning, in its text and in its audio. */
export interface ResumePoint {
  /** Index of the word in the utterance's whole text, in UTF-16 code units; or the end of the text. */
  readonly char: number;
  /** On the utterance's clock. What was made from here on is to be replaced. */
  readonly sample: number;
  /** The provider gave no times that fit the text: reckoned from how fast people speak. */
  readonly estimated?: true;
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

/** Where the text and the provider's times were last known to agree. */
interface Anchor {
  readonly char: number;
  readonly ms: number;
}

/** Slow speech rather than fast: a word too many is better than a word too few. */
const CHARS_PER_MS = 0.013;
/** Times that cover so little are no measure of how fast the voice speaks. */
const MEASURABLE_MS = 1_000;
/** Audio beyond the last timed character that passes for the pause behind it. */
const PAUSE_MS = 400;
/** Times are rounded to milliseconds on their way. */
const ROUNDING_MS = 1;

/**
 * Follows how far an utterance's text has been spoken, word by word.
 *
 * Times come per character of the text as the provider understood it, which may differ in white space,
 * punctuation and case: only letters and digits are held against the text, everything else is passed over
 * where it does not agree. Where they differ in a letter (a number read out, say), times no longer tell the
 * place, and from that word on it is reckoned from the pace so far.
 *
 * Times must be given before `at` is asked for the audio they belong to; `at` is asked in order.
 */
export class WordTracker {
  readonly #options: WordTrackerOptions;
  /** Timed words that are not over yet, in order. */
  #words: SpokenWord[] = [];
  /** The next character of the text that a time is awaited for. */
  #next: number;
  /** Beginning of the word that holds the last character timed: words may be as long as the text. */
  #wordStart: number;
  #timedUntilMs: number;
  #lost: Anchor | undefined;

  constructor(options: WordTrackerOptions) {
    this.#options = options;
    this.#next = options.from.char;
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

  /** Where to go on after `endSample`. */
  at(endSample: number): ResumePoint {
    const { sampleRateHz } = this.#options;
    const endMs = samplesToMs(endSample, sampleRateHz);
    const isOver = (word: SpokenWord) => word.endMs <= endMs + ROUNDING_MS && !this.#isUnfinished(word);
    const current = this.#words.findIndex((word) => !isOver(word));
    this.#words = current < 0 ? [] : this.#words.slice(current);
    const [word] = this.#words;
    if (word !== undefined) {
      return { char: word.char, sample: Math.min(endSample, msToSamples(word.startMs, sampleRateHz)) };
    }
    if (this.#lost !== undefined) return this.#reckon(this.#lost, endSample);
    const following = { char: this.#followingWord(), ms: this.#timedUntilMs };
    const isPause = this.#hasTimes && endMs - following.ms <= PAUSE_MS;
    if (isPause || this.#isOverAt(following.char)) return { char: following.char, sample: endSample };
    return this.#reckon(following, endSample);
  }

  get #hasTimes(): boolean {
    return this.#timedUntilMs > samplesToMs(this.#options.from.sample, this.#options.sampleRateHz);
  }

  #match(unit: string, startMs: number, endMs: number): void {
    const text = this.#options.text();
    if (isSpace(unit)) return;
    let at = this.#next;
    if (isLetter(unit)) {
      while (at < text.length && !isLetter(text.charAt(at)) && text.charAt(at) !== unit) at++;
      if (at === text.length) return;
      if (!isSameLetter(text.charAt(at), unit)) {
        this.#loseWord(at, startMs);
        return;
      }
    } else {
      while (isSpace(text.charAt(at))) at++;
      if (text.charAt(at) !== unit) return;
    }
    for (; this.#next <= at; this.#next++) {
      if (isWordStart(text, this.#next)) this.#wordStart = this.#next;
    }
    const char = this.#wordStart;
    const last = this.#words.at(-1);
    if (last?.char !== char) this.#words.push({ char, startMs, endMs });
    else if (isLetter(unit)) last.endMs = endMs;
  }

  /** Goes back to the beginning of the word that does not fit. */
  #loseWord(at: number, startMs: number): void {
    const char = Math.max(wordStart(this.#options.text(), at), this.#options.from.char);
    const begun = this.#words.at(-1);
    if (begun?.char === char) this.#words.pop();
    this.#lost = { char, ms: begun?.char === char ? begun.startMs : startMs };
  }

  /** Letters of the word still await their times. */
  #isUnfinished(word: SpokenWord): boolean {
    if (word.char !== this.#wordStart) return false;
    const text = this.#options.text();
    for (let at = this.#next; at < text.length && !isWordBreak(text, at); at++) {
      if (isLetter(text.charAt(at))) return true;
    }
    return false;
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
    const pace = timedMs >= MEASURABLE_MS ? (this.#next - from.char) / timedMs : CHARS_PER_MS;
    const spoken = Math.max(0, samplesToMs(endSample, sampleRateHz) - anchor.ms) * pace;
    // Never the end of the text: that all was spoken can't be reckoned.
    const reached = Math.min(anchor.char + Math.floor(spoken), text.trimEnd().length - 1);
    const char = Math.max(anchor.char, wordStart(text, reached));
    const sample = char === anchor.char ? msToSamples(anchor.ms, sampleRateHz) : endSample;
    return { char, sample: Math.min(sample, endSample), estimated: true };
  }
}

const isSpace = (unit: string): boolean => /^\s$/.test(unit);
const isLetter = (unit: string): boolean => /^[\p{L}\p{N}]$/u.test(unit);
/** Written without spaces: each is taken for a word. */
const isIdeograph = (unit: string): boolean =>
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]$/u.test(unit);
const isSameLetter = (a: string, b: string): boolean => a === b || a.toLowerCase() === b.toLowerCase();

/** Whether a word begins at `at`, which holds a character of one. */
export function isWordStart(text: string, at: number): boolean {
  const [before, here] = [text.charAt(at - 1), text.charAt(at)];
  if (at === 0 || isSpace(before)) return !isSpace(here);
  if (isSpace(here)) return false;
  return isIdeograph(here) || (isIdeograph(before) && isLetter(here));
}

/** The beginning of the word that holds `at`, or of the last one before it. */
function wordStart(text: string, at: number): number {
  let start = Math.min(at, text.length);
  while (start > 0 && !isWordStart(text, start)) start--;
  return start;
}

function wordEnd(text: string, at: number): number {
  let end = at + 1;
  while (end < text.length && !isWordBreak(text, end)) end++;
  return Math.min(end, text.length);
}

/** Whether the word before `at` is over there. */
const isWordBreak = (text: string, at: number): boolean => isSpace(text.charAt(at)) || isWordStart(text, at);
