/**
 * Bounds that belong to the protocol rather than to one process. Each has a unit, and an error code that
 * names the reaching of it. Those an operator may change are in the apps' `config.ts`.
 */

/** Longest client message or request body; beyond it: `protocol.message_too_large`. */
export const MAX_CLIENT_MESSAGE_BYTES = 64 * 1024;
/** Longest text of one utterance; beyond it: `capacity.text_too_long`. */
export const MAX_UTTERANCE_CHARACTERS = 40_000;
/** Unfinished utterances of one session; beyond it: `capacity.too_many_utterances`. */
export const MAX_UTTERANCES_PER_SESSION = 8;
/** Malformed messages on one connection before it is closed with `protocol.too_many_errors`. */
export const MAX_PROTOCOL_ERRORS = 100;
/** Samples of one frame: what a client may ask for. */
export const MIN_FRAME_SAMPLES = 120;
export const MAX_FRAME_SAMPLES = 9_600;
export const DEFAULT_FRAME_SAMPLES = 960;
/** Longest body of one stream entry; longer provider chunks are split. */
export const MAX_ENTRY_BYTES = 16 * 1024;

/** Name of the native protocol among those that a WebSocket client offers; offering it is not needed. */
export const NATIVE_SUBPROTOCOL = "tts-labs.v1";
/** Timed characters of one stream entry; more travel in entries of their own. */
export const MAX_ENTRY_CHARACTERS = 400;
/** Longest head of one stream entry: its timed characters, and some hundred bytes more. */
export const MAX_ENTRY_HEAD_BYTES = 32 * 1024;
