import { classOf, SPACE, SPEAKABLE, UNSPACED } from "@tts-labs/protocol/text/characters";
import { isSpeakable } from "@tts-labs/protocol/text/sentence-cutter";
import { SENTENCE_PAUSE_MS, SentenceScanner } from "@tts-labs/protocol/text/sentence-scanner";
import { WholeCharacters } from "@tts-labs/protocol/text/whole-characters";
import { FirstClause } from "./first-clause.ts";

/** What a provider is told, in order. */
export type FeedStep =
  | { readonly kind: "speak"; readonly text: string }
  | { readonly kind: "flush" }
  | { readonly kind: "end" };

export interface TextCutterOptions {
  readonly autoMode: boolean;
  /** The first words are not spoken before their sentence is complete. */
  readonly natural: boolean;
  /** When the first word came, where that was before the first `push`; monotonic ms. */
  readonly firstWordAtMs?: number | undefined;
}

/** A "word" longer than this is none: it goes on as it is. */
const MAX_WORD_CHARACTERS = 200;
/** In auto mode a sentence longer than this is cut between words. */
const MAX_SENTENCE_CHARACTERS = 400;
/** `SENTENCE_PAUSE_MS` for the very first words, where the end is not in doubt. */
const FIRST_PAUSE_MS = 150;
/** The rest of a sentence, or the end of the text, may come right behind its first clause: then that is not cut off. */
const CLAUSE_PAUSE_MS = 25;
/** Text that comes token by token comes at least so often. */
const TOKENS_APART_MS = 100;
/** After the first word, whatever has come is spoken, as far as its words are whole. */
const FIRST_WORDS_MS = 400;

/**
 * Cuts text that arrives in any pieces (tokens of a language model, whole books) into what a provider should be given.
 * By default whole words as soon as they are known, and a flush after each sentence, so that it is spoken at once. In
 * auto mode the provider speaks each message by itself, so it gets whole sentences.
 *
 * Two things happen by time, which the caller keeps: `dueAtMs` says when `elapse` is to be called. Text that waits
 * behind a possible end of a sentence is spoken when nothing follows. And unless the text is to sound `natural`, the
 * first flush comes with the first clause, or after a fraction of a second with the words there are: until then nothing
 * is given, so that a sentence that is complete by then is spoken as one.
 *
 * Joined, the pieces are the text, but for white space at its very end that no word follows. A piece is never white
 * space alone: an empty text is the provider's end mark, and some trim. The time is linear in the text.
 */
export class TextCutter {
  readonly #autoMode: boolean;
  readonly #characters = new WholeCharacters();
  readonly #scanner = new SentenceScanner("flush-early");
  /** Until the first flush. */
  #first: FirstClause | undefined;
  /** Text that was not given yet. */
  #held = "";
  /** In `held`: its first character that is not white space, the end of its last whole word. */
  #textStart = -1;
  #wordEnd = 0;
  /** Something speakable was taken since the last flush. */
  #isUnflushed = false;
  #firstWordAtMs: number;
  #textAtMs = 0;
  #clauseAtMs = Number.POSITIVE_INFINITY;
  #isComplete = false;
  /** The words so far have no place to cut the first ones off. */
  #isStuck = false;

  constructor({ autoMode, natural, firstWordAtMs }: TextCutterOptions) {
    this.#autoMode = autoMode;
    this.#first = natural || autoMode ? undefined : new FirstClause();
    this.#firstWordAtMs = firstWordAtMs ?? Number.POSITIVE_INFINITY;
  }

  /** @param nowMs when the text came, on a clock that only goes forward */
  push(piece: string, nowMs: number): FeedStep[] {
    const text = this.#characters.push(piece);
    const steps: FeedStep[] = [];
    this.#textAtMs = nowMs;
    this.#isStuck = false;
    let from = 0;
    for (let at = 0; at < text.length; ) {
      const codePoint = text.codePointAt(at) ?? 0;
      const kind = classOf(codePoint);
      const next = at + (codePoint > 0xffff ? 2 : 1);
      const end = this.#scanner.take(codePoint, kind, at);
      if (end === at) {
        steps.push(...this.#endSentence(text.slice(from, end)));
        from = end;
      }
      this.#learn(codePoint, kind, this.#held.length + at - from, nowMs);
      if (end === next) {
        steps.push(...this.#endSentence(text.slice(from, end)));
        from = end;
      }
      at = next;
    }
    this.#held += text.slice(from);
    if (this.#first?.clauseEnd !== undefined) this.#clauseAtMs = Math.min(this.#clauseAtMs, nowMs);
    if (this.#first === undefined) steps.push(...this.#give(this.#wordsReady()));
    return steps;
  }

  /** The client wants spoken what there is. */
  flush(): FeedStep[] {
    this.#holdHalf();
    return this.#flushTo(this.#held.length);
  }

  /** The text is complete. */
  end(): FeedStep[] {
    this.#holdHalf();
    this.#isComplete = true;
    this.#first = undefined;
    return [...this.#give(this.#held.length), { kind: "end" }];
  }

  /** When `elapse` is due if nothing more comes before; infinite: never. */
  get dueAtMs(): number {
    if (!this.#isUnflushed || this.#isComplete) return Number.POSITIVE_INFINITY;
    const { rest } = this.#scanner;
    const first = this.#first;
    const pauseMs = first !== undefined && rest === "clear" ? FIRST_PAUSE_MS : SENTENCE_PAUSE_MS;
    const pausesAtMs = rest === "none" ? Number.POSITIVE_INFINITY : this.#textAtMs + pauseMs;
    if (first === undefined) return pausesAtMs;
    // A sentence that is there as a whole is not cut up.
    const clauseAtMs = rest === "clear" ? Number.POSITIVE_INFINITY : this.#clauseAtMs + CLAUSE_PAUSE_MS;
    return Math.min(pausesAtMs, clauseAtMs, this.#wordsAtMs(first));
  }

  /** Nothing more has come until `nowMs`. */
  elapse(nowMs: number): FeedStep[] {
    if (nowMs < this.dueAtMs) return [];
    const { rest } = this.#scanner;
    const first = this.#first;
    const isPause = rest !== "none" && nowMs >= this.#textAtMs + SENTENCE_PAUSE_MS;
    if (first === undefined || isPause || rest === "clear") return this.#flushTo(this.#held.length);
    const end = first.end(this.#held);
    this.#isStuck = end === 0;
    return this.#isStuck ? [] : this.#flushTo(end);
  }

  #wordsAtMs(first: FirstClause): number {
    const atMs = this.#firstWordAtMs + FIRST_WORDS_MS;
    // The end of a pause behind a possible sentence is awaited.
    const isPausing = this.#scanner.rest !== "none" && atMs - this.#textAtMs > TOKENS_APART_MS;
    return this.#isStuck || isPausing || !first.hasWords ? Number.POSITIVE_INFINITY : atMs;
  }

  #learn(codePoint: number, kind: number, at: number, nowMs: number): void {
    const end = at + (codePoint > 0xffff ? 2 : 1);
    if ((kind & SPACE) === 0 && this.#textStart < 0) this.#textStart = at;
    if ((kind & (SPACE | UNSPACED)) !== 0) this.#wordEnd = end;
    if ((kind & SPEAKABLE) !== 0) {
      this.#isUnflushed = true;
      if (nowMs < this.#firstWordAtMs) this.#firstWordAtMs = nowMs;
    }
    this.#first?.take(codePoint, kind, at);
  }

  /** Half a character whose other half will not come. */
  #holdHalf(): void {
    const half = this.#characters.finish();
    if (half === "") return;
    if (this.#textStart < 0) this.#textStart = this.#held.length;
    this.#held += half;
  }

  #endSentence(rest: string): FeedStep[] {
    this.#held += rest;
    if (this.#autoMode) return this.#give(this.#held.length);
    return this.#flushTo(this.#held.length);
  }

  #flushTo(length: number): FeedStep[] {
    const isAll = length === this.#held.length;
    const steps: FeedStep[] = [...this.#give(length), { kind: "flush" }];
    this.#first = undefined;
    this.#isUnflushed = !isAll && isSpeakable(this.#held);
    if (isAll) this.#scanner.reset();
    else steps.push(...this.#give(this.#wordsReady()));
    return steps;
  }

  #wordsReady(): number {
    const limit = this.#autoMode ? MAX_SENTENCE_CHARACTERS : MAX_WORD_CHARACTERS;
    if (this.#held.length > limit) return this.#wordEnd > 0 ? this.#wordEnd : this.#held.length;
    return this.#autoMode ? 0 : this.#wordEnd;
  }

  /** White space alone stays. */
  #give(length: number): FeedStep[] {
    if (this.#textStart < 0 || this.#textStart >= length) return [];
    const text = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    this.#wordEnd = Math.max(0, this.#wordEnd - length);
    this.#textStart = this.#held.search(/\S/);
    return [{ kind: "speak", text }];
  }
}

/** Joins neighbouring pieces to speak: fewer messages to the provider. */
export function joinSteps(steps: readonly FeedStep[]): FeedStep[] {
  const joined: FeedStep[] = [];
  for (const step of steps) {
    const last = joined.at(-1);
    if (step.kind === "speak" && last?.kind === "speak")
      joined[joined.length - 1] = { kind: "speak", text: last.text + step.text };
    else joined.push(step);
  }
  return joined;
}
