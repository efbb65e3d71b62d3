import type { Alignment, Word } from "@tts-labs/core/audio/alignment";
import type { Substitute } from "@tts-labs/core/session/entries";
import type { UtteranceEnd } from "@tts-labs/core/session/utterance-end";

/** What an utterance has to say to its client besides its frames, in order with them. Each dialect encodes it once. */
export type SpeechEvent =
  /** Characters with their times, on the utterance's clock. */
  | { readonly kind: "alignment"; readonly alignment: Alignment }
  | WordsEvent
  /** From here on another voice or model speaks. */
  | { readonly kind: "substituted"; readonly substitute: Substitute }
  /** Frames were dropped since the last such event, as the client had asked. */
  | { readonly kind: "dropped"; readonly frames: number; readonly samples: number }
  /** The last one. */
  | { readonly kind: "ended"; readonly end: UtteranceEnd };

export interface WordsEvent {
  readonly kind: "words";
  readonly words: readonly Word[];
  /** Behind a splice: words told before that begin here or later are no longer true. */
  readonly replacesFromMs?: number;
}

/** The client has taken nothing for some time, and is cut off if it goes on like this. */
export interface SlowClientNotice {
  readonly waitedMs: number;
  readonly cutOffInMs: number;
  /** Frames that wait beyond what its socket holds. */
  readonly queuedFrames: number;
}
