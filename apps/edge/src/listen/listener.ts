import type { HeardEntry } from "@tts-labs/core/broadcast/broadcast";
import type { ErrorCode, GatewayError } from "@tts-labs/protocol/errors";
import type { ListenMessage } from "@tts-labs/protocol/listen-message";
import type { GivenEntries } from "./given-entries.ts";
import type { ListenerEnd } from "./listen-observer.ts";

/** Bytes that may wait in a listener's socket; beyond it the listener is cut off. 5.4 s of audio at 24 kHz. */
export const LISTENER_MAX_BUFFERED_BYTES = 256 * 1024;
/** While it catches up it is given no more than this at once. */
const CATCH_UP_BYTES = 64 * 1024;

/** Where a listener begins. */
export type ListenFrom =
  | { readonly kind: "live" }
  | { readonly kind: "start" }
  | { readonly kind: "position"; readonly utterance: number; readonly sample: number };

/** A listener's connection, as a dialect has it. */
export interface Ear {
  readonly bufferedBytes: number;
  send(body: Uint8Array, isBinary: boolean): void;
  tell(message: ListenMessage): void;
  /** From now on it gets what is published. */
  follow(): void;
  /** Tells why, and closes with the code that belongs to the error. May be called twice. */
  refuse(error: GatewayError): void;
  /** Closes with 1000. */
  end(): void;
}

/** What of a frame, as it is sent, comes from `sample` on, which lies in it. */
export type CutFrame = (body: Uint8Array, sample: number) => Uint8Array;

export interface ListenerOptions {
  readonly tag: string;
  readonly sessionId: string;
  readonly token: string;
  readonly requestId: string;
  readonly from: ListenFrom;
  readonly ear: Ear;
  readonly cutFrame: CutFrame;
}

/**
 * One listener: catches up with what was given out before it came, at its own pace, and then follows what is
 * published to all.
 *
 *   waiting ──let in──▶ catching-up ──▶ following
 */
export class Listener {
  /** Names the broadcast that it hears. */
  readonly tag: string;
  /** As the listener names the session. */
  readonly sessionId: string;
  readonly token: string;
  /** As the edge's leaving asks: it has nothing unfinished, and comes back elsewhere. */
  readonly unfinished = 0;
  readonly isResumable = true;
  readonly #options: ListenerOptions;
  #state: "waiting" | "catching-up" | "following" = "waiting";
  /** Number of the next entry to be sent. */
  #next = 0;
  #ending: ListenerEnd = "left";

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.tag = options.tag;
    this.sessionId = options.sessionId;
    this.token = options.token;
  }

  get isFollowing(): boolean {
    return this.#state === "following";
  }

  /** Why it leaves, as far as this side has a say. */
  get ending(): ListenerEnd {
    return this.#ending;
  }

  get bufferedBytes(): number {
    return this.#options.ear.bufferedBytes;
  }

  announceDraining(reconnectInMs: number): void {
    this.#options.ear.tell({ type: "draining", reconnect_in_ms: reconnectInMs });
  }

  disconnect(reason: GatewayError): void {
    this.refuse(reason);
  }

  /** Tells why, and closes. May be called twice. */
  refuse(reason: GatewayError): void {
    this.#ending = toEnding(reason.code);
    this.#options.ear.refuse(reason);
  }

  /** Its session is over. */
  end(): void {
    this.#ending = "session-ended";
    this.#options.ear.end();
  }

  /** Begins. @returns false where its position is no longer held */
  letIn(given: GivenEntries, utterance: number | undefined, sampleRateHz: number): boolean {
    const next = this.#begin(given, utterance);
    if (next === undefined) return false;
    this.#next = next;
    const { ear, sessionId, requestId } = this.#options;
    ear.tell({
      type: "listening",
      protocol: 1,
      session_id: sessionId,
      encoding: "pcm_s16le",
      sample_rate: sampleRateHz,
      utterance: utterance ?? null,
      request_id: requestId,
    });
    this.#state = "catching-up";
    return true;
  }

  /** Sends what is still missing, as far as the socket takes it. @returns false where it was overtaken */
  catchUp(given: GivenEntries): boolean {
    if (this.#state !== "catching-up") return true;
    if (this.#next < given.from) return false;
    while (this.#next < given.end && this.#options.ear.bufferedBytes < CATCH_UP_BYTES) {
      const entry = given.at(this.#next);
      if (entry !== undefined) this.#send(entry);
      this.#next++;
    }
    if (this.#next < given.end) return true;
    this.#state = "following";
    this.#options.ear.follow();
    return true;
  }

  #begin(given: GivenEntries, utterance: number | undefined): number | undefined {
    const { from } = this.#options;
    switch (from.kind) {
      case "live":
        return given.end;
      case "start":
        return utterance === undefined ? given.end : given.startOf(utterance);
      case "position":
        return given.after(from.utterance, from.sample);
    }
  }

  #send(entry: HeardEntry): void {
    const isBinary = entry.kind === "frame";
    this.#options.ear.send(isBinary ? this.#rest(entry) : entry.body, isBinary);
  }

  /** The frame, or what of it comes after the listener's position. */
  #rest({ utterance, firstSample, body }: HeardEntry): Uint8Array {
    const { from, cutFrame } = this.#options;
    const isWithin = from.kind === "position" && from.utterance === utterance && firstSample < from.sample;
    return isWithin ? cutFrame(body, from.sample) : body;
  }
}

function toEnding(code: ErrorCode): ListenerEnd {
  if (code === "capacity.slow_client") return "slow";
  return code === "draining" ? "draining" : "refused";
}
