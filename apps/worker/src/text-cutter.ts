import { findLastWordEnd, findSentenceEnd } from "./sentence-end.ts";

/** What a provider is told, in order. */
export type FeedStep =
  | { readonly kind: "speak"; readonly text: string }
  | { readonly kind: "flush" }
  | { readonly kind: "end" };

/** A "word" longer than this is none: it goes on as it is. */
const MAX_WORD_CHARACTERS = 200;
/** In auto mode a sentence longer than this is cut between words. */
const MAX_SENTENCE_CHARACTERS = 400;

/**
 * Cuts text that arrives in any pieces (tokens of a language model, whole books) into what a provider
 * should be given. By default whole words as soon as they are known, and a flush after each sentence, so
 * that it is spoken at once. In auto mode the provider speaks each message by itself, so it gets whole sentences.
 *
 * Joined, the pieces are the text, but for white space at its very end that no word follows. A piece is
 * never white space alone: an empty text is the provider's end mark, and some trim.
 */
export class TextCutter {
  readonly #autoMode: boolean;
  #held = "";

  constructor(autoMode: boolean) {
    this.#autoMode = autoMode;
  }

  push(text: string): FeedStep[] {
    this.#held += text;
    const steps: FeedStep[] = [];
    for (let end = findSentenceEnd(this.#held); end > 0; end = findSentenceEnd(this.#held)) {
      steps.push(...this.#take(end));
      if (!this.#autoMode) steps.push({ kind: "flush" });
    }
    steps.push(...this.#take(this.#wordsReady()));
    return steps;
  }

  /** The client wants spoken what there is. */
  flush(): FeedStep[] {
    return [...this.#take(this.#held.length), { kind: "flush" }];
  }

  /** The text is complete. */
  end(): FeedStep[] {
    return [...this.#take(this.#held.length), { kind: "end" }];
  }

  #wordsReady(): number {
    const limit = this.#autoMode ? MAX_SENTENCE_CHARACTERS : MAX_WORD_CHARACTERS;
    const words = findLastWordEnd(this.#held);
    if (this.#held.length > limit) return words > 0 ? words : this.#held.length;
    return this.#autoMode ? 0 : words;
  }

  #take(length: number): FeedStep[] {
    const text = this.#held.slice(0, length);
    if (text.trim() === "") return [];
    this.#held = this.#held.slice(length);
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
