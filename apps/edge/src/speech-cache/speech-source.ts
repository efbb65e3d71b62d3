import type { StreamStore } from "@tts-labs/core/stream/stream";

/** Where an utterance's audio is read: its own stream, or what has the same to say. */
export type SpeechSource = Pick<StreamStore, "reader" | "inspect">;
