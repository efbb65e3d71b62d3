/** All of it at once: `@tts-labs/protocol`. Each file is an entry of its own, too; those that need zod say so. */
export * from "./audio/pcm.ts";
export * from "./audio/wav-header.ts";
export * from "./audio-frame.ts";
export {
  type ClientMessage,
  type ClientMessageType,
  clientMessageSchemas,
  parseClientMessage,
} from "./client-message.ts";
export * from "./error-body.ts";
export * from "./errors.ts";
export * from "./limits.ts";
export {
  encodeServerMessage,
  type ServerMessage,
  type ServerMessageOf,
  type ServerMessageType,
  serverMessageSchemas,
  toErrorMessage,
} from "./server-message.ts";
export * from "./speech-options.ts";
export { firstReplaced } from "./words/replaced-words.ts";
