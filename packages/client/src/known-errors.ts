import type { ErrorCode } from "@tts-labs/protocol/wire-types";

export interface KnownError {
  readonly retryable: boolean;
  /** Where the error ends the connection. */
  readonly closeCode?: number;
  readonly meaning: string;
}

const row = (meaning: string, retryable: boolean, closeCode?: number): KnownError =>
  closeCode === undefined ? { meaning, retryable } : { meaning, retryable, closeCode };

/**
 * The rows of the server's catalogue that this side has to know: errors that a close code stands for, and those that the
 * client finds first. All others arrive with their own words. A test holds them against the catalogue.
 */
export const KNOWN_ERRORS: { readonly [code in ErrorCode]?: KnownError } = {
  "protocol.message_too_large": row("The message or body is longer than the limit.", false, 4509),
  "protocol.too_many_errors": row("Too many malformed messages on one connection.", false, 4508),
  "authentication.missing": row("No credentials were given.", false, 4501),
  "authentication.invalid": row("The credentials are wrong or spent.", false, 4502),
  "authentication.revoked": row(
    "The key with which the session was opened was revoked, or has expired.",
    false,
    4503,
  ),
  "authentication.forbidden": row("The credentials are valid, but not for what was asked.", false, 4506),
  "capacity.text_too_long": row("The utterance's text is longer than its limit.", false),
  "capacity.too_many_utterances": row("The session has as many unfinished utterances as it may have.", true),
  "capacity.too_many_sessions": row("This edge holds as many sessions as it may hold.", true, 4429),
  "capacity.overloaded": row(
    "New work is refused so that those already speaking are not disturbed.",
    true,
    4430,
  ),
  "capacity.rate_limited": row("One client asked for more per second than one client may.", true, 4431),
  "capacity.tenant_limit": row(
    "The tenant has reached one of its limits, over all of its keys and all edges.",
    true,
    4433,
  ),
  "capacity.too_many_listeners": row(
    "There are as many listeners as there may be, of this session or on this edge.",
    true,
    4433,
  ),
  "capacity.too_many_connections": row("This edge holds as many connections as it may hold.", true, 4432),
  "capacity.slow_client": row("The client took its audio too slowly for too long.", true, 4002),
  "session.superseded": row("A newer connection took over this session.", false, 4510),
  "session.held": row(
    "A session of this id is held: resume it with its token, choose another id, or wait until it has ended.",
    false,
    4511,
  ),
  "session.unknown": row("There is no such session, or it has expired.", false, 4504),
  "session.position_gone": row("The position asked for is no longer held.", false, 4505),
  "session.idle": row("The connection was silent for too long.", true, 4008),
  "session.expired": row("The session reached its longest lifetime.", true, 4009),
  draining: row("This process is going away; come back and you will reach another.", true, 4001),
  internal: row("Something went wrong that should not have.", true, 4011),
};
