import { MAX_UTTERANCE_CHARACTERS } from "@tts-labs/protocol/limits";
import type { ClientMessage, ServerMessageOf } from "@tts-labs/protocol/wire-types";
import type { Connected } from "./connection.ts";
import { type SpeakOptions, toWireOptions } from "./speak-options.ts";
import { SpeechError } from "./speech-error.ts";
import { MAX_PIECE_CHARACTERS, type SpeechText, textPieces } from "./text-pieces.ts";
import type { HeldUtterance, UtteranceRun } from "./utterance-run.ts";

export interface TextLink {
  send(message: ClientMessage): void;
  ping(): Promise<number | undefined>;
}

/**
 * Brings the texts of a session's utterances to the server, one after the other.
 *
 * One opening is in flight at a time, followed by a ping: a server that refuses a first text names no utterance in
 * its error, so an error before the pong belongs to the opening, and an opening that the pong finds unanswered has
 * failed. A text that ends early, refused, failed or cancelled, is still closed by its `stream_end`, up to which the
 * server passes over what it has refused; the complaint this may earn is no news and is dropped.
 *
 * While the connection is away, text goes on being gathered. A resumed session says how much of each text it holds,
 * and is sent the rest; an utterance it does not hold never arrived, and is opened anew.
 */
export class TextTurns {
  readonly #link: TextLink;
  #opening: UtteranceRun | undefined;
  /** Number of the newest utterance that the server has named. */
  #newest = 0;
  /** What the server said of a wrong state since the last opening. */
  #complaint: SpeechError | undefined;
  /** Wait to be opened, one after the other, before more of their text is sent. */
  #toOpen: UtteranceRun[] = [];
  /** When the server has answered all of the newest opening, or the connection was lost. */
  #answered: Promise<void> = Promise.resolve();
  #closingText = false;
  #turn: Promise<void> = Promise.resolve();

  constructor(link: TextLink) {
    this.#link = link;
  }

  /** Sends `text` when those before it are complete. */
  add(run: UtteranceRun, text: SpeechText, options: SpeakOptions): void {
    this.#turn = this.#turn.then(() => this.#sendText(run, text, options));
  }

  acceptStarted(message: ServerMessageOf<"utterance_started">): void {
    const run = this.#opening;
    this.#opening = undefined;
    this.#newest = message.utterance;
    if (run !== undefined) run.acceptStarted(message);
    // It was given up before the server had named it.
    else this.#link.send({ type: "cancel", utterance_id: message.utterance_id });
    this.#openNext();
  }

  /** Takes an error that names no utterance; false when it is news. */
  acceptError(error: SpeechError): boolean {
    if (error.code === "protocol.wrong_state") {
      // To a cancel that crossed the end of its utterance, or a superfluous stream_end; seldom to an opening.
      this.#complaint ??= error;
      return this.#closingText || this.#opening !== undefined;
    }
    if (this.#opening === undefined || this.#opening.over) return false;
    this.#opening.fail(error);
    return true;
  }

  /**
   * After the connection was away: `runs` are the unfinished, in order; `endedId` is the one whose end was heard last.
   */
  resume(connected: Connected, runs: readonly UtteranceRun[], endedId: string | undefined): void {
    const { utterances } = connected;
    const opening = this.#opening;
    this.#opening = undefined;
    this.#toOpen = [];
    for (const run of runs) {
      const held = utterances.find(({ utterance_id, utterance }) =>
        run === opening ? utterance > this.#newest : utterance_id === run.id,
      );
      if (held !== undefined) this.#goOn(run, held, connected);
      else if (run.hasText && run.lose()) this.#toOpen.push(run);
    }
    const known = new Set([endedId, ...runs.map(({ id }) => id)]);
    for (const { utterance_id, utterance } of utterances) {
      this.#newest = Math.max(this.#newest, utterance);
      // It was given up while the connection was away.
      if (!known.has(utterance_id)) this.#link.send({ type: "cancel", utterance_id });
    }
    this.#openNext();
  }

  #goOn(run: UtteranceRun, held: HeldUtterance, defaults: Connected): void {
    if (run.id === undefined) {
      // The server's answer to the opening was lost.
      const { utterance_id, utterance } = held;
      const { voice = defaults.voice, model = defaults.model } = run.text.options;
      run.acceptStarted({ type: "utterance_started", utterance_id, utterance, voice, model });
      // Which has sent its cancel.
      if (!run.wantsText) return;
    }
    run.resume(held);
  }

  async #sendText(run: UtteranceRun, text: SpeechText, options: SpeakOptions): Promise<void> {
    // The session ended, or the utterance was cancelled, while it waited for its turn.
    if (!run.wantsText) return;
    if (typeof text === "string" && text.trim() === "") {
      run.fail(new SpeechError("client.empty_text"));
      return;
    }
    const pieces = textPieces(text);
    /** All in one message: its end can go along. */
    const whole = typeof text === "string" && text.length <= MAX_PIECE_CHARACTERS;
    try {
      for (;;) {
        const next = await Promise.race([pieces.next(), run.stopped]);
        if (next === "stopped" || next.done === true) break;
        if (!run.text.append(next.value)) {
          const facts = { limit: MAX_UTTERANCE_CHARACTERS };
          run.abandon(new SpeechError("capacity.text_too_long", undefined, { facts }));
          break;
        }
        if (run.hasText) this.#send(run, { type: "text", text: next.value });
        else await this.#open(run, options, whole);
        run.tellSent();
        if (!run.wantsText) break;
      }
      if (!run.hasText) run.fail(new SpeechError("client.empty_text"));
      else if (whole) return;
      else if (run.wantsText) {
        run.text.end();
        this.#send(run, { type: "stream_end" });
      } else await this.#closeText(run);
    } catch (cause) {
      run.abandon(new SpeechError("client.text_failed", undefined, { cause }));
      if (run.hasText) await this.#closeText(run);
    } finally {
      // This is not awaited: a source that hangs must not hold up the next utterance.
      pieces.return().catch(() => {});
    }
  }

  /** What waits to be opened has it all in its text. */
  #send(run: UtteranceRun, message: ClientMessage): void {
    if (!this.#toOpen.includes(run)) this.#link.send(message);
  }

  /** Resolves when the server has answered the opening; after a refusal, when it has answered all of it. */
  async #open(run: UtteranceRun, options: SpeakOptions, whole: boolean): Promise<void> {
    run.text.open(toWireOptions(options));
    if (whole) run.text.end();
    run.openingSent();
    this.#toOpen.push(run);
    this.#openNext();
    await run.opened;
    if (run.id === undefined) await this.#answered;
  }

  #openNext(): void {
    if (this.#opening !== undefined) return;
    const run = this.#toOpen.shift();
    if (run === undefined) return;
    if (run.wantsText) {
      this.#opening = run;
      this.#answered = this.#sendOpening(run);
    } else {
      run.lose();
      this.#openNext();
    }
  }

  async #sendOpening(run: UtteranceRun): Promise<void> {
    for (const message of run.text.messages()) this.#link.send(message);
    this.#complaint = undefined;
    const answered = await this.#link.ping();
    if (answered === undefined || this.#opening !== run) return;
    this.#opening = undefined;
    run.fail(this.#complaint ?? new SpeechError("client.not_understood"));
    this.#openNext();
  }

  /** For a text that ended early: see the comment of the class. */
  async #closeText(run: UtteranceRun): Promise<void> {
    const end = await run.finished.catch(() => undefined);
    const acknowledged = end?.playedSamples !== undefined;
    if (acknowledged) return;
    this.#closingText = true;
    this.#link.send({ type: "stream_end" });
    await this.#link.ping();
    this.#closingText = false;
  }
}
