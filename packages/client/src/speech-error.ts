import type { ErrorCode, ServerMessageOf } from "@tts-labs/protocol/wire-types";
import { KNOWN_ERRORS } from "./known-errors.ts";

/** What goes wrong on this side of the socket; the server's own codes are those of `docs/errors.md`. */
export const CLIENT_ERRORS = {
  "client.invalid_address": "The address is not that of a server.",
  "client.no_websocket": "There is no WebSocket here.",
  "client.connect_failed": "No connection to the server could be made.",
  "client.connect_timeout": "The server did not answer in time.",
  "client.disconnected": "The connection to the server was lost.",
  "client.unresponsive": "The server no longer answers pings.",
  "client.resume_timeout": "The connection to the server was lost and could not be made again in time.",
  "client.closed": "The client has been closed.",
  "client.empty_text": "There was no text to speak.",
  "client.text_failed": "The source of the text failed before it was complete.",
  "client.buffer_full":
    'More audio is waiting to be taken than may be held: take it faster, or connect with delivery: "paced".',
  "client.audio_gap": "Samples are missing between two frames.",
  "client.not_understood": "The server sent something that this client does not understand.",
  "client.player_failed": "The browser can't play audio.",
} as const;

export type SpeechErrorCode = ErrorCode | keyof typeof CLIENT_ERRORS;

export interface SpeechErrorOptions {
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
  readonly requestId?: string | undefined;
  readonly cause?: unknown;
}

/** The one error of this library. `code` is stable; `message` may be shown to a person. */
export class SpeechError extends Error {
  override readonly name: string = "SpeechError";
  readonly code: SpeechErrorCode;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  #requestId: string | undefined;

  constructor(code: SpeechErrorCode, message: string = meaningOf(code), options: SpeechErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? isRetryable(code);
    this.retryAfterMs = options.retryAfterMs;
    this.facts = options.facts ?? {};
    this.#requestId = options.requestId;
  }

  /**
   * Names the connection or request in the logs of every process, for a report to the server's operator. Undefined
   * where no server has answered.
   */
  get requestId(): string | undefined {
    return this.#requestId;
  }

  /** Says which connection the error belongs to, unless that is known. */
  static attribute(error: SpeechError, requestId: string | undefined): SpeechError {
    error.#requestId ??= requestId;
    return error;
  }
}

export function fromErrorMessage(message: ServerMessageOf<"error">): SpeechError {
  return new SpeechError(message.code, message.message, {
    retryable: message.retryable,
    ...(message.retry_after_ms === undefined ? {} : { retryAfterMs: message.retry_after_ms }),
    ...(message.facts === undefined ? {} : { facts: message.facts }),
  });
}

/** What a close of the socket means: the catalogue's row where the code is one of ours. */
export function fromClose(closeCode: number, reason: string): SpeechError {
  const facts = { closeCode, ...(reason === "" ? {} : { reason }) };
  for (const [code, known] of Object.entries(KNOWN_ERRORS)) {
    if (known.closeCode === closeCode) return new SpeechError(code as ErrorCode, undefined, { facts });
  }
  return new SpeechError("client.disconnected", undefined, { facts });
}

/** Whether the session may still be there, for another connection that asks for it: close codes below 4500 say so. */
export function mayComeBack({ code, facts, retryable }: SpeechError): boolean {
  if (isClientError(code)) {
    const { closeCode } = facts;
    if (typeof closeCode === "number") return closeCode < 4500;
    return COMES_BACK.has(code);
  }
  const closeCode = KNOWN_ERRORS[code]?.closeCode;
  return closeCode === undefined ? retryable : closeCode < 4500;
}

const COMES_BACK: ReadonlySet<SpeechErrorCode> = new Set([
  "client.connect_failed",
  "client.connect_timeout",
  "client.disconnected",
  "client.unresponsive",
]);

const isClientError = (code: SpeechErrorCode): code is keyof typeof CLIENT_ERRORS =>
  Object.hasOwn(CLIENT_ERRORS, code);

const meaningOf = (code: SpeechErrorCode): string =>
  isClientError(code) ? CLIENT_ERRORS[code] : (KNOWN_ERRORS[code]?.meaning ?? code);

const isRetryable = (code: SpeechErrorCode): boolean =>
  isClientError(code)
    ? COMES_BACK.has(code) || code === "client.resume_timeout"
    : (KNOWN_ERRORS[code]?.retryable ?? false);
