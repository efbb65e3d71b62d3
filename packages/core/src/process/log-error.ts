import { GatewayError } from "@tts-labs/protocol/errors";

/** Causes, and errors within an aggregate, are told to this depth, and so many of one level. */
const MAX_DEPTH = 4;
const MAX_ERRORS = 4;
const MAX_MESSAGE = 1_000;
const MAX_STACK = 4_000;

/** What a log tells of an error. */
export interface LoggedError {
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  /** Those of our own errors, which are safe for logs. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
  readonly cause?: LoggedError;
  readonly errors?: readonly LoggedError[];
}

/**
 * An error for a log: what is named here and nothing else. Libraries hang on their errors whatever was at hand: the
 * command with its arguments, the password among them (ioredis), the URL as it was given (Node.js), request headers.
 */
export function toLoggedError(thrown: unknown, depth: number = MAX_DEPTH): LoggedError {
  if (!(thrown instanceof Error)) return { type: typeof thrown, message: cut(textOf(thrown), MAX_MESSAGE) };
  const { code } = thrown as { readonly code?: unknown };
  const isGateway = thrown instanceof GatewayError;
  const deeper = depth > 1;
  return {
    type: cut(String(thrown.name), MAX_MESSAGE),
    message: cut(String(thrown.message), MAX_MESSAGE),
    ...(typeof code === "string" || typeof code === "number" ? { code: cut(String(code), MAX_MESSAGE) } : {}),
    ...(typeof thrown.stack === "string" ? { stack: cut(thrown.stack, MAX_STACK) } : {}),
    ...(isGateway && Object.keys(thrown.facts).length > 0 ? { facts: thrown.facts } : {}),
    ...(deeper && thrown.cause !== undefined ? { cause: toLoggedError(thrown.cause, depth - 1) } : {}),
    ...(deeper && thrown instanceof AggregateError
      ? { errors: thrown.errors.slice(0, MAX_ERRORS).map((it) => toLoggedError(it, depth - 1)) }
      : {}),
  };
}

/** Objects that are no errors are not logged: their contents are unknown. */
const textOf = (thrown: unknown): string =>
  typeof thrown === "object" && thrown !== null ? "an object that is no error" : String(thrown);

const cut = (text: string, limit: number): string =>
  text.length > limit ? `${text.slice(0, limit)} … (${text.length} characters)` : text;
