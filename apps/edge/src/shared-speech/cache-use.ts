import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import type { HeldSource } from "./sources.ts";

/** The receiver of a source closes it, read or unread. */
export type Found =
  /** The cache was not asked, or has nothing: the utterance goes its own way. */
  | { readonly use: "off" }
  | { readonly use: "hit"; readonly source: HeldSource; readonly samples: number }
  /** Another utterance is just saying the same. */
  | { readonly use: "joined"; readonly source: HeldSource; readonly leaderId: string }
  /** It is spoken for this utterance; others may join. */
  | {
      readonly use: "miss";
      readonly source: HeldSource;
      /**
       * Runs `act` in the background when it is over for all on this edge and can't be joined any more.
       * @param act told whether others have joined elsewhere, and may still be reading
       */
      whenOver(act: (listeners: "alone" | "joined") => Promise<void>): void;
      /** It is wanted no more: tells whether it may be cancelled, once it has no listener on this edge. */
      cancel(): Promise<"alone" | "joined">;
      /** It will never be spoken. */
      abandon(): Promise<void>;
    };

export const NOT_CACHED: Found = { use: "off" };

export interface SpeechRequest {
  readonly utteranceId: string;
  /** The reader's id for its own stream: a successor on another edge takes this reader's place. */
  readonly readerId: string;
  /** Complete. */
  readonly text: string;
  readonly speech: SpeechOptions;
  /** The leader that was joined, and has failed. */
  readonly replacing?: string;
  /** True when the client already holds the start, so joining a leader that has trimmed it is allowed. */
  readonly isBegun?: boolean;
}
