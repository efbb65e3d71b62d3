import { createHash } from "node:crypto";
import type { Keys } from "../redis/keys.ts";

export interface BroadcastKeys {
  readonly about: string;
  readonly log: string;
  readonly ears: string;
}

/**
 * Names a session's broadcast: a hash, since a client chooses its session's id, and braces in it would upset a hash
 * tag. It stands in every listener's token, so that a listener need not know whose the session is.
 */
export const broadcastTag = (sessionId: string): string =>
  createHash("sha256").update(sessionId).digest("base64url");

/** The broadcast that a token is for; `undefined` where it can't be one. */
export function tagOfToken(token: string): string | undefined {
  return /^[A-Za-z0-9_-]{32}\.([A-Za-z0-9_-]{43})$/.exec(token)?.[1];
}

/** All in one slot. */
export const broadcastKeys = (keys: Keys, tag: string): BroadcastKeys => ({
  about: keys.broadcast(tag, "about"),
  log: keys.broadcast(tag, "log"),
  ears: keys.broadcast(tag, "ears"),
});
