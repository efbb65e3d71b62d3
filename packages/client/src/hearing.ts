import type { ServerMessageOf } from "@tts-labs/protocol/wire-types";
import { firstReplaced } from "@tts-labs/protocol/words/replaced-words";
import { isSpace, wordEnd } from "@tts-labs/protocol/words/word-starts";
import type { HeardText, SpokenWord } from "./utterance.ts";

export { firstReplaced };

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

  /** @param replacesFromMs words told before that begin there or later are no longer true */
  addWords(words: readonly SpokenWord[], replacesFromMs?: number): void {
    const [first] = words;
    if (first === undefined) return;
    this.#words.length = firstReplaced(this.#words, first, replacesFromMs);
    for (const word of words) this.#words.push(word);
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

const lettersOf = (text: string): number => text.replace(/\s/g, "").length;

/** End of the word that holds the `letters`-th letter, with the space after it. */
function endOfLetters(text: string, letters: number): number {
  let at = 0;
  for (let left = letters; left > 0 && at < text.length; at++) if (/\S/.test(text.charAt(at))) left--;
  return endOfWord(text, at);
}

/** `at` itself between two words, else behind the word that it stands in and the space after it. */
function endOfWord(text: string, at: number): number {
  if (at === 0) return 0;
  let end = isSpace(text.charAt(at - 1)) ? at : wordEnd(text, at - 1);
  while (end < text.length && isSpace(text.charAt(end))) end++;
  return end;
}
