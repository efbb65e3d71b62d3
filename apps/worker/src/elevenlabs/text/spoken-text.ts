import type { Alignment } from "@tts-labs/core/audio/alignment";
import { encodeEnd, encodeFlush, encodeText } from "../messages.ts";
import type { Route } from "../route.ts";
import { OutgoingText } from "./outgoing-text.ts";
import { OwedSpeech, type Waiting } from "./owed-speech.ts";

/** The text of one run: the messages to send for it, and what the provider owes in return. */
export class SpokenText {
  readonly #text: OutgoingText;
  readonly #owed: OwedSpeech;
  #characters = 0;

  constructor(route: Route) {
    this.#text = new OutgoingText({ wholeWords: route.autoMode });
    this.#owed = new OwedSpeech({ autoMode: route.autoMode, schedule: route.chunkLengthSchedule });
  }

  get waiting(): Waiting {
    return this.#owed.waiting;
  }

  /** Characters sent so far, white space included. */
  get characters(): number {
    return this.#characters;
  }

  /** Audio has come since the provider was last made to speak. */
  get hasBegun(): boolean {
    return this.#owed.hasBegun;
  }

  /** Something was sent that must be heard. */
  get speakable(): boolean {
    return this.#owed.speakable > 0;
  }

  get betweenWords(): boolean {
    return this.#text.betweenWords;
  }

  speak(text: string, nowMs: number): readonly string[] {
    return this.#encode(this.#text.push(text), nowMs);
  }

  /** Nothing where nothing waits to be spoken. */
  flush(nowMs: number): readonly string[] {
    const messages = this.#encode(this.#text.release(), nowMs);
    if (!this.#owed.textWaiting) return messages;
    const flush = encodeFlush(this.#text.takeSpace());
    this.#owed.flushed(nowMs);
    return [...messages, flush];
  }

  end(nowMs: number): readonly string[] {
    const messages = this.#encode(this.#text.release(), nowMs);
    const end = encodeEnd(this.#owed.textWaiting);
    this.#owed.ended(nowMs);
    return [...messages, ...end];
  }

  keepAlive(nowMs: number): readonly string[] {
    return this.#encode(this.#text.takeSpace(), nowMs);
  }

  heard(heardMs: number, verbatim: Alignment | undefined, nowMs: number): void {
    this.#owed.heard(heardMs, verbatim, nowMs);
  }

  #encode(piece: string | undefined, nowMs: number): readonly string[] {
    if (piece === undefined) return [];
    this.#owed.sent(piece, nowMs);
    this.#characters += piece.length;
    return [encodeText(piece)];
  }
}
