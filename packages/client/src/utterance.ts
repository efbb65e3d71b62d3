import type { ServerMessageOf } from "@tts-labs/protocol/wire-types";
import type { AudioChunk } from "./frame-queue.ts";
import type { SpeechError } from "./speech-error.ts";

/** A word and when it is spoken, on the utterance's own clock. */
export interface SpokenWord {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

export interface UtteranceEvents {
  /** The server has opened it. */
  readonly started: ServerMessageOf<"utterance_started">;
  /** Audio; while anyone listens to this, nothing is kept for iteration. */
  readonly audio: AudioChunk;
  /** Words told before that begin at the same time or later are no longer true: a splice has replaced them. */
  readonly words: readonly SpokenWord[];
  readonly alignment: ServerMessageOf<"alignment">;
  /** Another voice or model speaks the rest. */
  readonly substituted: ServerMessageOf<"substituted">;
  /** Counted with `overflow: "drop-oldest"` alone. */
  readonly dropped: { readonly frames: number; readonly samples: number };
  /** A piece of text that the server has or will have. */
  readonly sent: string;
  /** It is over; no event follows. */
  readonly ended: UtteranceTotals | SpeechError;
}

/** What a listener has heard: a word counts as heard when its beginning was played. */
export interface HeardText {
  readonly heardMs: number;
  /** Both together are the text as it was sent. */
  readonly textHeard: string;
  readonly textLeft: string;
  /** The cut is a guess: the provider gave no times, or nothing was ever reported as played. */
  readonly estimated: boolean;
}

/**
 * How a cancelled utterance went, and what was heard of it. Its outcome is "completed" only where the cancel came after
 * everything had been heard: what was received and not heard has been interrupted.
 */
export interface CancelResult extends UtteranceTotals, HeardText {}

/** "hit": it had been spoken before; "joined": another utterance was just saying the same. */
export type CacheUse = NonNullable<ServerMessageOf<"stream_complete">["cache"]>;

/** How it went. A cancelled utterance is an outcome, not an error. */
export interface UtteranceTotals {
  readonly outcome: "completed" | "cancelled";
  /** Empty when it was cancelled before the server knew of it. */
  readonly utteranceId: string;
  /** Samples received here. */
  readonly samples: number;
  readonly durationMs: number;
  readonly frames: number;
  readonly droppedFrames: number;
  /** How often another worker or provider socket took over. */
  readonly splices: number;
  /** Characters the provider was given; 0 where unknown, as after a cancel. */
  readonly characters: number;
  /** `speak` to the first audio here; null without audio. */
  readonly firstAudioMs: number | null;
  /** The server's own part of `firstAudioMs`, and the parts it knows by name; also of a cancelled utterance. */
  readonly serverFirstAudioMs: number | null;
  readonly latencyMs: Readonly<Record<string, number>>;
  /**
   * What the server's cache had to do with it, and with `sentenceCache` with each of its sentences; absent after a
   * cancel.
   */
  readonly cache?: CacheUse;
  readonly sentences?: NonNullable<ServerMessageOf<"stream_complete">["sentences"]>;
  /** Samples the player had reported as played when it was cancelled. */
  readonly playedSamples?: number;
}

/**
 * One piece of speech that was asked for. Its audio is taken once: iterate it, or ask for `toWav()` or `stream()`, or
 * listen to its events.
 */
export interface Utterance extends AsyncIterable<AudioChunk> {
  /** The server's name for it; undefined until `started`. */
  readonly id: string | undefined;
  readonly sampleRateHz: number;
  readonly receivedSamples: number;
  readonly firstAudioMs: number | null;
  /** Resolves when all is received, or cancelled; rejects with the `SpeechError` that ended it. */
  readonly finished: Promise<UtteranceTotals>;
  on<K extends keyof UtteranceEvents>(name: K, listener: (event: UtteranceEvents[K]) => void): () => void;
  /**
   * All of it as a WAV with true lengths, 48 kB a second. Rejects with the `SpeechError` that ended it; of a cancelled
   * utterance, what had been taken by then.
   */
  toWav(): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Its samples as bytes, mono 16-bit little-endian, as they come. Where a splice replaces what was given, the stream
   * passes over what it can't take back. Cancelling the stream cancels the utterance.
   */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Speak what has been sent so far, without waiting for more text. */
  flush(): void;
  /**
   * Stop: nothing more is received from this moment on. May be called twice, and after the end: much may have been
   * received that was not yet heard. Rejects with the `SpeechError` that ended it.
   */
  cancel(): Promise<CancelResult>;
  /** Derived from what was reported as played; after a cancel, as the server reckons. */
  readonly heard: HeardText;
  /** Tells how much a listener has heard: samples, from the beginning. */
  reportPlayed(samples: number): void;
}
