import type { StreamStore } from "@tts-labs/core/stream/stream";

/** The source of an utterance's audio: its own stream, or what has the same to say. */
export type SpeechSource = Pick<StreamStore, "reader" | "inspect">;

/** A source that holds something for its one reader, from when it was found until it is closed. */
export interface HeldSource extends SpeechSource {
  /** It is not wanted any more, read or unread. May be called twice. */
  close(): void;
  /** As `close`, by a client that may come back for the rest: what is on its way to the cache still gets there. */
  leave(): void;
}
