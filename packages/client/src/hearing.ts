import type { ServerMessageOf } from "@tts-labs/core/protocol/server-message";
import type { HeardText, SpokenWord } from "./utterance.ts";

/**
 * How much of an utterance a listener has heard: from the words' times and what was reported as played, until the
 * server has told its own reckoning.
 */
export class Hearing {
  readonly #sampleRateHz: number;
  /** In order; at most as many as the utterance's text has. */
  readonly #words: SpokenWord[] = [];
  #playedSamples: number | undefined;
  #told: HeardText | undefined;

  constructor(sampleRateHz: number) {
    this.#sampleRateHz = sampleRateHz;
  }

  get playedSamples(): number | undefined {
    return this.#playedSamples;
  }

  /** A word that begins before an earlier one has ended comes from a splice: it and what follows stand instead. */
  addWords(words: readonly SpokenWord[]): void {
    const [first] = words;
    if (first === undefined) return;
    this.#words.splice(firstReplaced(this.#words, first), Number.POSITIVE_INFINITY, ...words);
  }

  played(samples: number): void {
    this.#playedSamples = samples;
  }

  told(message: ServerMessageOf<"cancelled">): void {
    const { heard_ms: heardMs, text_heard: textHeard, text_left: textLeft, estimated } = message;
    this.#told = { heardMs, textHeard, textLeft, estimated };
  }

  /** Of `text`, while `receivedSamples` have come. */
  of(text: string, receivedSamples: number): HeardText {
    if (this.#told !== undefined) return this.#told;
    const { endsAt, known } = this.#heardUntil(text, receivedSamples);
    return {
      heardMs: this.#toMs(this.#playedSamples ?? 0),
      textHeard: text.slice(0, endsAt),
      textLeft: text.slice(endsAt),
      estimated: !known || this.#playedSamples === undefined,
    };
  }

  #heardUntil(text: string, receivedSamples: number): { readonly endsAt: number; readonly known: boolean } {
    const played = this.#playedSamples ?? 0;
    if (played === 0) return { endsAt: 0, known: true };
    if (this.#words.length === 0) {
      const share = Math.min(1, played / Math.max(receivedSamples, 1));
      return { endsAt: endOfWord(text, Math.ceil(text.length * share)), known: false };
    }
    const begun = this.#words.filter(({ startMs }) => startMs < this.#toMs(played));
    const letters = begun.reduce((sum, word) => sum + lettersOf(word.text), 0);
    return { endsAt: endOfLetters(text, letters), known: true };
  }

  #toMs(samples: number): number {
    return (samples * 1000) / this.#sampleRateHz;
  }
}

/** Index of the first of `words`, which are in order, in whose place `word` comes; their number when it follows them all. */
export const firstReplaced = (words: readonly { readonly endMs?: number }[], word: SpokenWord): number =>
  // Times are rounded here and there.
  words.findLastIndex(({ endMs = 0 }) => endMs <= word.startMs + 1) + 1;

const lettersOf = (text: string): number => text.replace(/\s/g, "").length;

/** Where the word that holds the `letters`-th letter ends, with the space after it. */
function endOfLetters(text: string, letters: number): number {
  let at = 0;
  for (let left = letters; left > 0 && at < text.length; at++) if (/\S/.test(text.charAt(at))) left--;
  return endOfWord(text, at);
}

/** `at` itself between two words, else behind the word that it stands in and the space after it. */
const endOfWord = (text: string, at: number): number =>
  at === 0 ? 0 : at + (text.slice(at - 1).match(/^\S*\s*/)?.[0].length ?? 1) - 1;
