import type {
  PassedParts,
  SessionHold,
  StoredEnd,
  StoredUtterance,
} from "@tts-labs/core/session/session-store";
import type { BackgroundWork } from "../background-work.ts";

export interface UtteranceNoteOptions {
  /** Absent where the session does not outlive its connection: nothing is noted then. */
  readonly hold: SessionHold | undefined;
  readonly background: BackgroundWork;
  readonly utterance: StoredUtterance;
  /** As it was found, over an earlier connection. */
  readonly isNoted: boolean;
}

/** What the session's record says of an utterance, so that another edge knows of it, and of its end. */
export class UtteranceNote {
  readonly #options: UtteranceNoteOptions;
  #utterance: StoredUtterance;
  #isNoted: boolean;

  constructor(options: UtteranceNoteOptions) {
    this.#options = options;
    this.#utterance = options.utterance;
    this.#isNoted = options.isNoted;
  }

  /** @param text where no stream will hold it */
  begun(text?: string): void {
    if (text !== undefined) this.#utterance = { ...this.#utterance, text };
    this.#put();
  }

  /**
   * As `begun`, once what is there of its audio has gone: its first frames in this turn of the event loop, the rest in
   * the next. If it has ended by then, that says it all.
   */
  begunSoon(text: string): void {
    this.#utterance = { ...this.#utterance, text };
    setImmediate(() => setImmediate(() => this.atLeast()));
  }

  passed(passed: PassedParts): void {
    this.#utterance = { ...this.#utterance, passed };
    this.#put();
  }

  ended(end: StoredEnd): void {
    this.#utterance = { ...this.#utterance, end };
    this.#put();
  }

  /** That there is such an utterance. */
  atLeast(): void {
    if (!this.#isNoted) this.#put();
  }

  #put(): void {
    const { hold, background } = this.#options;
    this.#isNoted = true;
    if (hold !== undefined) background.add("utterance held", hold.put(this.#utterance));
  }
}
