import type { SpokenWord } from "@tts-labs/client/utterance";
import { firstReplaced } from "@tts-labs/protocol/words/replaced-words";
import { wordEnd } from "@tts-labs/protocol/words/word-starts";

/** A word of the text as written, and when it is spoken as far as that is known. */
export interface TrackedWord {
  readonly text: string;
  /** What separates it from the next word. */
  readonly space: string;
  readonly startMs?: number;
  readonly endMs?: number;
  /** The heard position at which it was lit. */
  readonly litAtMs?: number;
}

/** How far ahead a spoken word is looked for among the written ones. */
const MATCH_WINDOW = 6;

/**
 * Brings together the words as written (they may still be arriving) and the words as spoken with their times. The
 * provider may speak what is not written ("25" as "twenty-five"): a spoken word that isn't found near its place
 * is taken for the next written one.
 */
export class WordTrack {
  readonly #words: TrackedWord[] = [];
  /** Spoken before their text has been seen here; bounded by the utterance. */
  #early: SpokenWord[] = [];
  #nextTimed = 0;
  #nextLit = 0;

  get words(): readonly TrackedWord[] {
    return this.#words;
  }

  /** The word being spoken, or the last one lit; -1 before the first. */
  get current(): number {
    return this.#nextLit - 1;
  }

  write(text: string): void {
    for (const [, lead = "", word = "", space = ""] of text.matchAll(/(\s*)(\S*)(\s*)/g)) {
      const last = this.#words.at(-1);
      if (last !== undefined && lead !== "") this.#words[this.#words.length - 1] = { ...last, space: lead };
      if (word === "") continue;
      const isContinued = lead === "" && last?.space === "";
      if (isContinued) this.#words.pop();
      this.#add(isContinued ? last.text + word : word, space, isContinued ? last : undefined);
    }
    this.#match();
  }

  /** In scripts without spaces what stands between two spaces is several words. */
  #add(written: string, space: string, begun: TrackedWord | undefined): void {
    let at = 0;
    do {
      const end = wordEnd(written, at);
      const word = { text: written.slice(at, end), space: end === written.length ? space : "" };
      this.#words.push(at === 0 ? { ...begun, ...word } : word);
      at = end;
    } while (at < written.length);
  }

  /** A splice that tells words anew replaces their old times; a lit word stays lit. */
  speak(words: readonly SpokenWord[]): void {
    const [first] = words;
    if (first !== undefined) this.#forgetFrom(first);
    this.#early.push(...words);
    this.#match();
  }

  /** Lights every word that has begun by `heardMs`; the indices of those just lit. */
  light(heardMs: number): number[] {
    const lit: number[] = [];
    while (this.#nextLit < this.#nextTimed) {
      const word = this.#words[this.#nextLit];
      if (word === undefined || (word.startMs ?? 0) > heardMs) break;
      this.#words[this.#nextLit] = { ...word, litAtMs: word.litAtMs ?? heardMs };
      lit.push(this.#nextLit++);
    }
    return lit;
  }

  #forgetFrom(word: SpokenWord): void {
    this.#early = this.#early.slice(0, firstReplaced(this.#early, word));
    const from = firstReplaced(this.#words.slice(0, this.#nextTimed), word);
    for (let i = from; i < this.#nextTimed; i++) {
      const { startMs: _start, endMs: _end, ...rest } = this.#words[i] ?? { text: "", space: "" };
      this.#words[i] = rest;
    }
    this.#nextTimed = from;
    this.#nextLit = Math.min(this.#nextLit, from);
  }

  #match(): void {
    while (this.#nextTimed < this.#words.length) {
      const spoken = this.#early[0];
      if (spoken === undefined) return;
      const window = this.#words.slice(this.#nextTimed, this.#nextTimed + MATCH_WINDOW);
      const found = Math.max(
        0,
        window.findIndex(({ text }) => text === spoken.text),
      );
      // Skipped words light together with the one that was found.
      for (let i = this.#nextTimed; i <= this.#nextTimed + found; i++) {
        const word = this.#words[i];
        if (word !== undefined) this.#words[i] = { ...word, startMs: spoken.startMs, endMs: spoken.endMs };
      }
      this.#nextTimed += found + 1;
      this.#early = this.#early.slice(1);
    }
  }
}
