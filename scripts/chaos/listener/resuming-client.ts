import { setTimeout as sleep } from "node:timers/promises";
import type { AudioFrame } from "@tts-labs/protocol/audio-frame";
import type { ClientMessage } from "@tts-labs/protocol/client-message";
import type { ServerMessage, ServerMessageOf } from "@tts-labs/protocol/server-message";
import { type HeardEnd, HeardUtterance } from "./heard.ts";
import { pieceAt, type SpokenText } from "./texts.ts";
import { type Greeting, Wire } from "./wire.ts";

export interface ResumingClientOptions {
  /** The balancer's http address. */
  readonly url: string;
  readonly session: number;
  readonly delivery: "burst" | "paced";
  /** False: a lost connection is a lost session, as with a client that knows nothing of resuming. */
  readonly resume: boolean;
  /** From 0 up to 1, for the jitter of reconnections. */
  readonly random: () => number;
}

/** An utterance's text on its way: how much of it the server is known, or assumed, to hold. */
interface Sending {
  readonly heard: HeardUtterance;
  readonly spoken: SpokenText;
  sentCharacters: number;
  sentEnd: boolean;
  id?: string;
  number?: number;
}

/** Pause between two words of a text: a language model's. */
const PIECE_PAUSE_MS = 8;
const FIRST_BACKOFF_MS = 40;
const MAX_BACKOFF_MS = 1_000;
/** As long as an edge keeps a session whose client is away, by default. */
const RESUME_WINDOW_MS = 30_000;
const DRAINING = 4001;

/**
 * A client of the native protocol that never gives up before it must: it reconnects anywhere, tells how far it
 * has come, and sends again what the server does not hold. Written from the protocol's description alone, beside
 * the client library, so that the two can't share a mistake. It believes nothing: what it got is judged later.
 *
 * One utterance's opening is unanswered at a time, so that a refusal without an id has one meaning.
 */
export class ResumingClient {
  /** Connections beyond the first. */
  reconnections = 0;
  readonly #options: ResumingClientOptions;
  /** Utterances not ended, or ended before their text was, in the order of asking. */
  readonly #sendings: Sending[] = [];
  #wire: Wire | undefined;
  /** The session's id and the token that proves it; undefined where there is nothing to resume. */
  #session: Greeting | undefined;
  /** Number of the latest utterance that the session has named. */
  #newest = 0;
  #lastEnded: { readonly utterance_id: string; readonly sample: number } | undefined;
  /** Wakes the writer, who waits for a connection or for an opening's answer. */
  #wake: () => void = () => {};
  #writing = false;
  #closed = false;

  private constructor(options: ResumingClientOptions) {
    this.#options = options;
  }

  /** @throws Error when no edge greets within the resume window */
  static async connect(options: ResumingClientOptions): Promise<ResumingClient> {
    const client = new ResumingClient(options);
    await client.#connect();
    if (client.#wire === undefined) throw new Error("no edge could be reached");
    return client;
  }

  speak(spoken: SpokenText): HeardUtterance {
    const heard = new HeardUtterance({ ...spoken, session: this.#options.session });
    this.#sendings.push({ heard, spoken, sentCharacters: 0, sentEnd: false });
    void heard.ended.then(() => this.#wake());
    void this.#write();
    return heard;
  }

  close(): void {
    this.#closed = true;
    this.#wire?.close();
    this.#wire = undefined;
    this.#endAll({ kind: "disconnected", closeCode: 1000 });
  }

  /** Resolves when a connection stands, or none could be had and every utterance has ended. */
  async #connect(): Promise<void> {
    const deadlineMs = performance.now() + RESUME_WINDOW_MS;
    let closeCode = 1006;
    for (let backoffMs = FIRST_BACKOFF_MS; performance.now() < deadlineMs; ) {
      const opened = await this.#open();
      if (this.#closed) {
        if (typeof opened !== "number") opened.close();
        return;
      }
      if (typeof opened !== "number") return this.#greet(opened);
      closeCode = opened;
      if (closeCode >= 4500) this.#giveUpSession(closeCode);
      await sleep(backoffMs * (0.5 + this.#options.random() / 2));
      backoffMs = Math.min(MAX_BACKOFF_MS, backoffMs * 2);
    }
    this.#giveUpSession(closeCode);
  }

  async #open(): Promise<Wire | number> {
    const session = this.#session;
    const url = new URL("/api/v1/stream", this.#options.url.replace(/^http/, "ws"));
    url.searchParams.set("delivery", this.#options.delivery);
    if (session !== undefined) {
      url.searchParams.set("session_id", session.session_id);
      url.searchParams.set("resume", "true");
    }
    let wire: Wire | number = 1006;
    const isCurrent = () => this.#wire === wire;
    wire = await Wire.open({
      url,
      ...(session === undefined ? {} : { first: this.#position(session) }),
      onMessage: (message) => this.#take(message),
      onFrame: (frame) => this.#takeFrame(frame),
      onClosed: (closeCode) => {
        if (isCurrent()) this.#lose(closeCode);
      },
    });
    return wire;
  }

  /**
   * How far we are: in the first utterance that has a name and no end yet, else at the end of the last one that had
   * both. Absent, it would say that nothing at all has been received.
   */
  #position(session: Greeting): ClientMessage {
    const current = this.#sendings.find((it) => it.heard.end === undefined && it.id !== undefined);
    const at = current?.id === undefined ? this.#lastEnded : toPosition(current.id, current.heard);
    return { type: "resume", resume_token: session.resume_token, ...at };
  }

  #greet(wire: Wire): void {
    const { greeting } = wire;
    if (this.#session !== undefined && !greeting.resumed) this.#giveUpSession(1006);
    this.#wire = wire;
    this.#session = this.#options.resume ? greeting : undefined;
    for (const { utterance_id, utterance } of greeting.utterances) {
      // The answer to our opening was lost. Older ones that we do not know any more are told again in vain.
      if (utterance > this.#newest) this.#name(utterance_id, utterance);
    }
    for (const sending of this.#sendings) {
      const held = greeting.utterances.find((it) => it.utterance_id === sending.id);
      if (held !== undefined) {
        sending.sentCharacters = Math.min(held.text_characters, sending.spoken.text.length);
        sending.sentEnd = held.text_complete;
      } else if (sending.heard.nextSample === 0) {
        // It never arrived, or no more than its name.
        delete sending.id;
        delete sending.number;
        sending.sentCharacters = 0;
        sending.sentEnd = false;
      }
    }
    this.#wake();
    void this.#write();
  }

  #lose(closeCode: number): void {
    this.#wire = undefined;
    this.reconnections += 1;
    if (!this.#options.resume || closeCode >= 4500) this.#giveUpSession(closeCode);
    void this.#connect();
  }

  #giveUpSession(closeCode: number): void {
    this.#session = undefined;
    this.#newest = 0;
    this.#lastEnded = undefined;
    this.#endAll({ kind: "disconnected", closeCode });
  }

  #endAll(end: HeardEnd): void {
    for (const { heard } of this.#sendings.splice(0)) heard.finish(end);
    this.#wake();
  }

  /** Sends what has not been sent, utterance by utterance; ends when there is nothing left. */
  async #write(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    for (;;) {
      const next = this.#sendings.find((it) => !it.sentEnd);
      if (next === undefined || this.#closed) break;
      const unanswered = this.#sendings.some(
        (it) => it !== next && it.sentEnd && it.heard.end === undefined && it.id === undefined,
      );
      if (this.#wire === undefined || unanswered) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      this.#sendSome(next, this.#wire);
      if (next.spoken.pieces.length > 1) await sleep(PIECE_PAUSE_MS);
    }
    this.#writing = false;
  }

  #sendSome(sending: Sending, wire: Wire): void {
    const { spoken, heard } = sending;
    const opens = sending.sentCharacters === 0;
    // An utterance that ended early needs no more of its text, but is closed all the same.
    if (sending.sentCharacters < spoken.text.length && heard.end === undefined) {
      const text = pieceAt(spoken, sending.sentCharacters);
      wire.send({ type: "text", text, ...(opens ? { voice: spoken.voice } : {}) });
      sending.sentCharacters += text.length;
    } else {
      if (!opens) wire.send({ type: "stream_end" });
      sending.sentEnd = true;
      this.#forgetEnded();
    }
  }

  #take(message: ServerMessage): void {
    if (message.type === "draining") void this.#move(message.reconnect_in_ms);
    else if (message.type === "utterance_started") this.#name(message.utterance_id, message.utterance);
    else if ("utterance_id" in message && message.utterance_id !== undefined) {
      const heard = this.#sendings.find((it) => it.id === message.utterance_id)?.heard;
      if (message.type === "stream_complete") heard?.finish(toCompletion(message));
      else if (message.type === "error") heard?.finish(toFailure(message));
      else heard?.sign();
      if (heard?.end !== undefined) this.#lastEnded = toPosition(message.utterance_id, heard);
      this.#forgetEnded();
    } else if (message.type === "error" && message.code !== "protocol.wrong_state") {
      const opening = this.#sendings.find((it) => it.sentCharacters > 0 && it.id === undefined);
      opening?.heard.finish(toFailure(message));
      this.#forgetEnded();
    }
  }

  #takeFrame(frame: AudioFrame): void {
    const heard = this.#sendings.find((it) => it.number === frame.utterance)?.heard;
    if (heard?.end === undefined) heard?.take(frame);
  }

  #name(id: string, number: number): void {
    const opening = this.#sendings.find((it) => it.id === undefined && it.heard.end === undefined);
    if (opening === undefined) return;
    opening.id = id;
    opening.number = number;
    this.#newest = Math.max(this.#newest, number);
    opening.heard.sign();
    this.#wake();
  }

  #forgetEnded(): void {
    const kept = this.#sendings.filter((it) => it.heard.end === undefined || !it.sentEnd);
    this.#sendings.splice(0, this.#sendings.length, ...kept);
  }

  /** The edge is going away, and has told when it is our turn to go to another. */
  async #move(inMs: number): Promise<void> {
    const wire = this.#wire;
    if (!this.#options.resume || wire === undefined) return;
    await sleep(inMs, undefined, { ref: false });
    if (this.#wire !== wire) return;
    wire.drop();
    this.#lose(DRAINING);
  }
}

const toPosition = (utterance_id: string, { nextSample: sample }: HeardUtterance) => ({
  utterance_id,
  sample,
});

const toCompletion = ({ samples, cache }: ServerMessageOf<"stream_complete">): HeardEnd => ({
  kind: "completed",
  samples,
  cache,
});

const toFailure = (message: { readonly code: string; readonly retryable: boolean }): HeardEnd => ({
  kind: "failed",
  code: message.code,
  retryable: message.retryable,
});
