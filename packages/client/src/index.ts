/** What applications import: `@tts-labs/client`. The player, which needs a browser, is `@tts-labs/client/player`. */
export type { Connected } from "./connection.ts";
export type { ServerAddress } from "./endpoints.ts";
export type { AudioChunk } from "./frame-queue.ts";
export type { Prewarmed } from "./prewarms.ts";
export type { Reconnecting } from "./reconnection.ts";
export type { SpeakOptions } from "./speak-options.ts";
export { type ClientEvents, type ConnectOptions, type SpeakRequest, SpeechClient } from "./speech-client.ts";
export { SpeechError, type SpeechErrorCode } from "./speech-error.ts";
export type { SpeechText } from "./text-pieces.ts";
export type {
  CacheUse,
  CancelResult,
  HeardText,
  SpokenWord,
  Utterance,
  UtteranceEvents,
  UtteranceTotals,
} from "./utterance.ts";
export type { Voice } from "./voices.ts";
export type { SocketLike, WebSocketClass } from "./web-socket.ts";
