import type { GatewayError } from "@tts-labs/protocol/errors";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import type { Caller } from "../access/caller.ts";
import type { SessionServices, SessionSettings } from "../services.ts";
import type { ClientPosition } from "./reader/audio-reader.ts";
import type { RestoredText, TextOptions } from "./utterance-text.ts";

export interface WholeSpeechOptions {
  readonly utteranceId: string;
  readonly sessionId: string;
  readonly caller: Caller;
  readonly requestId: string;
  readonly speech: SpeechOptions;
  readonly services: SessionServices;
  readonly settings: Omit<SessionSettings, "defaults">;
  /**
   * It is known where its audio comes from: called once, unless it was begun over an earlier connection.
   * @param text where no stream will hold it
   */
  readonly onFound: (text?: string) => void;
  /** The same was asked for before: it is heard from the cache, or where it is being made, or not at all. */
  readonly repeatOf?: "running" | "done";
  readonly hold?: TextOptions["hold"];
  /** It was begun over an earlier connection. */
  readonly restored?: RestoredSpeech;
  /** Text that was taken can't be stored: it will never be complete. */
  readonly onFailed: (error: GatewayError) => void;
}

/** What was found of it in Redis. */
export interface RestoredSpeech {
  readonly from: ClientPosition;
  /** Absent where nothing is added to it any more. */
  readonly text?: RestoredText;
  /** Its complete text, where it has no audio of its own (yet): it was served from the cache, or had joined another. */
  readonly textWithoutAudio?: string;
  /** No worker has begun it. */
  readonly isUnspoken?: boolean;
  /** The client was told how it ended. */
  readonly hasEnded: boolean;
}
