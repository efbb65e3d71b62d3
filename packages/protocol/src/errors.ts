/**
 * Every failure that a client, an operator or another part of the system can meet.
 *
 * One base class, one catalogue. A code is stable: clients may switch on it, dashboards label by it.
 * Foreign errors (ioredis, ws, BullMQ, zod) become one of these once, at the border where they are met.
 * `docs/errors.md` is this table in prose; a test holds the two together.
 */

export type ErrorFamily =
  | "protocol"
  | "authentication"
  | "capacity"
  | "session"
  | "lease"
  | "provider"
  | "storage"
  | "cancelled"
  | "draining"
  | "config"
  | "internal";

interface CatalogueRow {
  readonly family: ErrorFamily;
  /** True when the same request may succeed later, or elsewhere, unchanged. */
  readonly retryable: boolean;
  /** Status of an HTTP answer that could not be given. */
  readonly httpStatus: number;
  /**
   * WebSocket close code where the error ends the connection; absent where the connection goes on.
   * 4000–4499: come back and resume; 4500–4999: not until something changes.
   */
  readonly closeCode?: number;
  readonly meaning: string;
}

const row = (
  family: ErrorFamily,
  retryable: boolean,
  httpStatus: number,
  meaning: string,
  closeCode?: number,
): CatalogueRow => ({
  family,
  retryable,
  httpStatus,
  meaning,
  ...(closeCode === undefined ? {} : { closeCode }),
});

export const ERROR_CATALOGUE = {
  // What the client sent.
  "protocol.invalid_json": row("protocol", false, 400, "The message or body is not JSON."),
  "protocol.invalid_utf8": row("protocol", false, 400, "The message or body is not UTF-8."),
  "protocol.invalid_message": row(
    "protocol",
    false,
    400,
    "A field is missing, unknown, of the wrong type or out of range.",
  ),
  "protocol.unknown_type": row("protocol", false, 400, "The message type is not one of those documented."),
  "protocol.wrong_state": row(
    "protocol",
    false,
    409,
    "The message does not fit the state of its session or utterance.",
  ),
  "protocol.unexpected_binary": row(
    "protocol",
    false,
    400,
    "A client sends JSON text messages; binary ones have no meaning.",
  ),
  "protocol.message_too_large": row(
    "protocol",
    false,
    413,
    "The message or body is longer than the limit.",
    4509,
  ),
  "protocol.unsupported_media_type": row(
    "protocol",
    false,
    415,
    "The body is not application/json in UTF-8, or is compressed.",
  ),
  "protocol.not_acceptable": row("protocol", false, 406, "None of the accepted formats can be produced."),
  "protocol.not_found": row("protocol", false, 404, "There is no such route."),
  "protocol.method_not_allowed": row("protocol", false, 405, "The route exists, but not with this method."),
  "protocol.idempotency_conflict": row(
    "protocol",
    false,
    409,
    "The Idempotency-Key was used before, for another request.",
  ),
  "protocol.idempotency_spent": row(
    "protocol",
    false,
    409,
    "The speech of this Idempotency-Key was made before, and is not held any more.",
  ),
  "protocol.too_many_errors": row(
    "protocol",
    false,
    400,
    "Too many malformed messages on one connection.",
    4508,
  ),
  // The client's identity.
  "authentication.missing": row("authentication", false, 401, "No credentials were given.", 4501),
  "authentication.invalid": row("authentication", false, 401, "The credentials are wrong or spent.", 4502),
  "authentication.revoked": row(
    "authentication",
    false,
    401,
    "The key with which the session was opened was revoked, or has expired.",
    4503,
  ),
  "authentication.forbidden": row(
    "authentication",
    false,
    403,
    "The credentials are valid, but not for what was asked.",
    4506,
  ),
  "authentication.origin_refused": row(
    "authentication",
    false,
    403,
    "Pages of another site may not use this server, unless its operator lists their origin in ALLOWED_ORIGINS.",
  ),
  "authentication.host_refused": row(
    "authentication",
    false,
    421,
    "The server does not answer to the Host that the request names.",
  ),
  // How much is too much.
  "capacity.text_too_long": row("capacity", false, 413, "The utterance's text is longer than its limit."),
  "capacity.too_many_utterances": row(
    "capacity",
    true,
    429,
    "The session has as many unfinished utterances as it may have.",
  ),
  "capacity.too_many_sessions": row(
    "capacity",
    true,
    503,
    "This edge holds as many sessions as it may hold.",
    4429,
  ),
  "capacity.overloaded": row(
    "capacity",
    true,
    503,
    "New work is refused so that those already speaking are not disturbed.",
    4430,
  ),
  "capacity.rate_limited": row(
    "capacity",
    true,
    429,
    "One client asked for more per second than one client may.",
    4431,
  ),
  "capacity.tenant_limit": row(
    "capacity",
    true,
    429,
    "The tenant has reached one of its limits, over all of its keys and all edges.",
    4433,
  ),
  "capacity.too_many_connections": row(
    "capacity",
    true,
    503,
    "This edge holds as many connections as it may hold.",
    4432,
  ),
  "capacity.too_many_listeners": row(
    "capacity",
    true,
    503,
    "There are as many listeners as there may be, of this session or on this edge.",
    4433,
  ),
  "capacity.slow_client": row(
    "capacity",
    true,
    408,
    "The client took its audio too slowly for too long.",
    4002,
  ),
  "capacity.slot_timeout": row("capacity", true, 503, "No provider slot became free within the deadline."),
  // Sessions and streams.
  "session.superseded": row("session", false, 409, "A newer connection took over this session.", 4510),
  "session.held": row(
    "session",
    false,
    409,
    "A session of this id is held: resume it with its token, choose another id, or wait until it has ended.",
    4511,
  ),
  "session.unknown": row("session", false, 404, "There is no such session, or it has expired.", 4504),
  "session.position_gone": row("session", false, 410, "The position asked for is no longer held.", 4505),
  "session.idle": row("session", true, 408, "The connection was silent for too long.", 4008),
  "session.expired": row("session", true, 408, "The session reached its longest lifetime.", 4009),
  "session.text_timeout": row("session", true, 408, "An open utterance got no text for too long."),
  "stream.lost": row("storage", true, 503, "Entries of a stream that were written are no longer there."),
  "stream.reader_gone": row("session", true, 408, "Nobody has read the utterance's audio for too long."),
  "lease.lost": row("lease", true, 503, "Another worker owns the utterance now."),
  // The provider.
  "provider.connect_timeout": row("provider", true, 504, "The provider did not accept a connection in time."),
  "provider.connect_failed": row("provider", true, 502, "No connection to the provider could be made."),
  "provider.refused": row("provider", false, 502, "The provider refused the request for good."),
  "provider.first_audio_timeout": row("provider", true, 504, "The provider sent no audio in time."),
  "provider.gap_timeout": row("provider", true, 504, "The provider stopped in mid-utterance."),
  "provider.final_timeout": row("provider", true, 504, "The provider did not end the utterance in time."),
  "provider.truncated": row(
    "provider",
    true,
    502,
    "The provider's socket closed before the utterance was complete.",
  ),
  "provider.silent": row("provider", true, 502, "The provider reported success without one sample of audio."),
  "provider.wrong_format": row(
    "provider",
    false,
    502,
    "The provider sent audio in another format than was asked for.",
  ),
  "provider.too_much_audio": row(
    "provider",
    false,
    502,
    "The provider sent far more audio than the text can take.",
  ),
  "provider.unresponsive": row("provider", true, 504, "The provider's socket no longer answers pings."),
  "provider.invalid_key": row("provider", false, 502, "The provider does not accept the configured key."),
  "provider.quota_exceeded": row("provider", false, 503, "The provider account's quota is used up."),
  "provider.voice_not_found": row("provider", false, 422, "The provider has no such voice."),
  "provider.unsupported_model": row(
    "provider",
    false,
    422,
    "The provider has no such model, or not for streaming.",
  ),
  "provider.invalid_request": row(
    "provider",
    false,
    422,
    "The provider refused the settings of this utterance.",
  ),
  "provider.overloaded": row("provider", true, 503, "The provider has too much to do."),
  "provider.idle_closed": row(
    "provider",
    true,
    502,
    "The provider closed a socket that had waited too long for text.",
  ),
  "provider.fault": row("provider", true, 502, "The provider reported a fault of its own."),
  "provider.circuit_open": row(
    "provider",
    true,
    503,
    "The provider has failed repeatedly and is not asked for a while.",
  ),
  // Ourselves.
  "storage.unavailable": row("storage", true, 503, "Redis can't be reached."),
  "storage.timeout": row("storage", true, 503, "Redis did not answer in time."),
  "storage.full": row("storage", true, 503, "Redis has no memory left for anything new."),
  "storage.read_only": row("storage", true, 503, "Redis takes no writes: it is a replica."),
  "storage.disk_failed": row(
    "storage",
    true,
    503,
    "Redis takes no writes: it can't save to its disk, which may be full.",
  ),
  "storage.loading": row("storage", true, 503, "Redis is still loading its data."),
  "worker.unavailable": row("capacity", true, 503, "No worker took the utterance in time."),
  "cancelled.by_client": row("cancelled", false, 499, "The client cancelled the utterance."),
  "cancelled.client_gone": row(
    "cancelled",
    false,
    499,
    "The client went away before the utterance was complete.",
  ),
  draining: row(
    "draining",
    true,
    503,
    "This process is going away; come back and you will reach another.",
    4001,
  ),
  "config.invalid": row("config", false, 500, "The configuration can't be used."),
  internal: row("internal", true, 500, "Something went wrong that should not have.", 4011),
} as const satisfies Record<string, CatalogueRow>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

export const ERROR_CODES = Object.keys(ERROR_CATALOGUE) as readonly ErrorCode[];

export interface GatewayErrorOptions {
  /** The real cause, kept for logs; never shown to a client. */
  readonly cause?: unknown;
  /** How long a client should wait before it tries again. */
  readonly retryAfterMs?: number;
  /** Overrides the catalogue, where the circumstances decide. */
  readonly retryable?: boolean;
  /** What went wrong as data: field names, limits, ids. Safe for clients and logs; never spoken text, never secrets. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
}

/** The one base of all errors this system throws. `message` is safe to show to a client. */
export class GatewayError extends Error {
  override readonly name: string = "GatewayError";
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly facts: Readonly<Record<string, string | number | boolean>>;

  constructor(
    code: ErrorCode,
    message: string = ERROR_CATALOGUE[code].meaning,
    options: GatewayErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? ERROR_CATALOGUE[code].retryable;
    this.retryAfterMs = options.retryAfterMs;
    this.facts = options.facts ?? {};
  }

  /** The same error, knowing more. */
  withFacts(facts: NonNullable<GatewayErrorOptions["facts"]>): GatewayError {
    return new GatewayError(this.code, this.message, this.optionsWith(facts));
  }

  protected optionsWith(facts: NonNullable<GatewayErrorOptions["facts"]>): GatewayErrorOptions {
    return {
      cause: this.cause,
      retryable: this.retryable,
      facts: { ...this.facts, ...facts },
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
    };
  }

  get family(): ErrorFamily {
    return ERROR_CATALOGUE[this.code].family;
  }
}

/** `error` itself if it is one of ours, else an `internal` error that keeps it as its cause. */
export function toGatewayError(error: unknown): GatewayError {
  return error instanceof GatewayError ? error : new GatewayError("internal", undefined, { cause: error });
}

/** Status for an HTTP answer. */
export function toHttpStatus(error: GatewayError): number {
  return ERROR_CATALOGUE[error.code].httpStatus;
}

/** WebSocket close code for an error that ends a connection: 4011 where the catalogue names none. */
export function toCloseCode(error: GatewayError): number {
  const entry: CatalogueRow = ERROR_CATALOGUE[error.code];
  return entry.closeCode ?? 4011;
}
