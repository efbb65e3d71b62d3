import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import type { HeldSource } from "./speech-source.ts";

/** Whoever is given a source closes it, read or unread. */
export type Found =
  /** Not asked, or nothing to be had: the utterance goes its own way. */
  | { readonly use: "off" }
  | { readonly use: "hit"; readonly source: HeldSource; readonly samples: number }
  /** Another utterance is just saying the same. */
  | { readonly use: "joined"; readonly source: HeldSource; readonly leaderId: string }
  /** It is spoken for this utterance; others may join. */
  | {
      readonly use: "miss";
      readonly source: HeldSource;
      /**
       * Runs `act` in the background when it is over for all on this edge and nobody can join any more.
       * @param act told whether others have joined elsewhere, and may still be reading
       */
      whenOver(act: (listeners: "alone" | "joined") => Promise<void>): void;
      /** It is wanted no more: says whether it may be cancelled, once nobody on this edge hears it. */
      cancel(): Promise<"alone" | "joined">;
      /** It will never be spoken. */
      abandon(): Promise<void>;
    };

export const NOT_CACHED: Found = { use: "off" };

export interface SpeechRequest {
  readonly utteranceId: string;
  /** As whom its own stream is read: whoever goes on with it on another edge takes this reader's place. */
  readonly readerId: string;
  /** Complete. */
  readonly text: string;
  readonly speech: SpeechOptions;
  /** The leader that was joined, and has failed. */
  readonly replacing?: string;
  /** Of it so much was heard that its beginning is not needed: a leader may have let go of that. */
  readonly isBegun?: boolean;
}
