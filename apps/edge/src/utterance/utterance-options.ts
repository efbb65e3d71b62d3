import type { SessionHold } from "@tts-labs/core/session/session-store";
import type { GatewayError } from "@tts-labs/protocol/errors";
import type { RequestedOptions, SpeechOptions } from "@tts-labs/protocol/speech-options";
import type { Caller } from "../access/caller.ts";
import type { FrameSize } from "../delivery/frame-size.ts";
import type { Outbound } from "../delivery/outbound.ts";
import type { SessionServices, SessionSettings } from "../services.ts";
import type { RestoredUtterance } from "../speech/resume.ts";

export interface UtteranceOptions {
  readonly utteranceId: string;
  /** In the session, from 1. */
  readonly number: number;
  readonly sessionId: string;
  readonly caller: Caller;
  readonly requestId: string;
  /** As the client named them, and with every default filled in. */
  readonly requested: RequestedOptions;
  readonly speech: SpeechOptions;
  readonly frameSize: FrameSize;
  readonly outbound: Outbound;
  readonly services: SessionServices;
  readonly settings: SessionSettings;
  /** Present when the session outlives its connection: told of the utterance, and of its end. */
  readonly hold?: SessionHold;
  /** The same was asked for before, and must not be made again. */
  readonly repeatOf?: "running" | "done";
  /** It is made sentence by sentence. */
  readonly sentenceCache: boolean;
  /** It was begun over an earlier connection. */
  readonly restored?: RestoredUtterance;
  /** All its audio has been read, or none more will be: the next may have its turn. */
  readonly onRead: () => void;
  /** Nothing more of it will be sent. */
  readonly onEnded: () => void;
  /** After `onEnded`: its client is known to have all of it. */
  readonly onConfirmed: () => void;
  /** What the client is missing of it is no longer held. */
  readonly onPositionGone: (error: GatewayError) => void;
}
