import type { RequestedOptions } from "@tts-labs/protocol/speech-options";
import type { UtteranceEnd } from "./utterance-end.ts";

/**
 * What must outlive a session's connection, and the edge that holds it: its id, how it was set up, and
 * which utterances are not known to be with its client. Text and audio are in the utterances' own streams.
 *
 * A session has one holder at a time. Each opening or resuming raises its *epoch*; what an earlier holder does
 * after that changes nothing, and tells it that it was superseded.
 */
export interface SessionStore {
  /**
   * Makes the session. An id is held from here until the session is removed or nothing has refreshed it for the
   * window, whatever becomes of its connection and its edge. @throws GatewayError `session.held`, `storage.*`
   */
  open(session: NewSession, onSuperseded: () => void): Promise<SessionHold>;
  /**
   * Takes the session over from its holder. From now on `nextToken` is its token; the one shown goes on working
   * until `SessionHold.confirm`, for a client whose answer is lost on its way.
   * @throws GatewayError `session.unknown`, `authentication.invalid`, `storage.*`
   */
  resume(
    claim: ResumeClaim,
    onSuperseded: () => void,
  ): Promise<{ readonly session: StoredSession; readonly hold: SessionHold }>;
  /**
   * Tells the session's holder, on whichever edge, that something of it has changed (`SessionHold.onRung`), where
   * `resumeToken` proves that the caller may. @throws GatewayError `session.unknown`, `authentication.invalid`, `storage.*`
   */
  prove(sessionId: string, resumeToken: string): Promise<ProvenSession>;
  /** Safe to call twice. Sessions stay: others may resume them. */
  close(): Promise<void>;
}

export interface ResumeClaim {
  readonly sessionId: string;
  /** What the client shows. */
  readonly resumeToken: string;
  /** What it is to show the next time. */
  readonly nextToken: string;
}

export interface NewSession {
  readonly sessionId: string;
  /** Stored as its SHA-256. */
  readonly resumeToken: string;
  readonly createdAtMs: number;
  readonly settings: SessionDelivery;
}

/** How the session's audio is delivered, as `connected` told it. */
export interface SessionDelivery {
  readonly delivery: "burst" | "paced";
  readonly overflow: "wait" | "drop-oldest";
  readonly frameSamples: number;
  readonly adaptiveFrames: boolean;
  /** Its utterances are made sentence by sentence. */
  readonly sentenceCache: boolean;
  /** Absent: the edge's own. */
  readonly sampleRateHz?: number;
  /** Absent: the samples as they are. */
  readonly encoding?: "mulaw" | "alaw";
  /** Frames that get smaller by it are deflated; absent: none. */
  readonly deflates?: boolean;
}

export interface StoredSession {
  readonly sessionId: string;
  readonly createdAtMs: number;
  readonly settings: SessionDelivery;
  /** By number. */
  readonly utterances: readonly StoredUtterance[];
}

export interface StoredUtterance {
  readonly utteranceId: string;
  /** In the session, from 1. */
  readonly number: number;
  readonly requested: RequestedOptions;
  readonly createdAtMs: number;
  /** Present when it is made sentence by sentence. */
  readonly passed?: PassedParts;
  /** Its complete text, where no stream holds it: it was heard from the cache, or from another utterance. */
  readonly text?: string;
  readonly end?: StoredEnd;
}

/** The parts of an utterance, from its beginning, that can no longer be asked for. */
export interface PassedParts {
  readonly parts: number;
  readonly samples: number;
  /** As the provider was given. */
  readonly characters: number;
}

/** How an utterance ended, as the client was told, for it may not have arrived. */
export interface StoredEnd {
  /** Samples of it that went before the end; none where what is missing of them is not to be sent any more. */
  readonly samples: number;
  readonly end: UtteranceEnd;
  /** The client had not ended its text: what still comes of it belongs to no other utterance. */
  readonly isTextOpen: boolean;
}

/** A session that its token was shown of. */
export interface ProvenSession {
  readonly birth: string;
  /** Absent: the edge's own. */
  readonly sampleRateHz?: number | undefined;
  readonly ring: () => void;
}

/**
 * A session held. Its holder refreshes it well inside the window that the store was opened with. Once superseded, every
 * call does nothing.
 */
export interface SessionHold {
  readonly epoch: number;
  readonly isCurrent: boolean;
  /** Tells it from other sessions that have or had its id. */
  readonly birth: string;
  /** Called when the holder was rung and still holds the session. */
  onRung: (() => void) | undefined;
  /** Notes an utterance, or how it ended; the oldest ended ones make room. @throws GatewayError `storage.*` */
  put(utterance: StoredUtterance): Promise<void>;
  /** The client has its new token: the one before stops working. @throws GatewayError `storage.*` */
  confirm(): Promise<void>;
  /** Puts off its expiry. @throws GatewayError `storage.*` */
  refresh(): Promise<void>;
  /** Forgets the session. @returns false where another holds it by now @throws GatewayError `storage.*` */
  remove(): Promise<boolean>;
  /** Holds it no longer; it stays until it expires. May be called twice. */
  letGo(): void;
}
