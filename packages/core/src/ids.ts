import { randomBytes } from "node:crypto";

/**
 * Ids are a short prefix and 96 random bits in base64url: long enough not to be guessed, short enough to
 * read in a log. They never contain ":" (BullMQ refuses it in job ids) or braces (Redis hash tags).
 */
function newId(prefix: string): string {
  return `${prefix}_${randomBytes(12).toString("base64url")}`;
}

export const newSessionId = (): string => newId("ses");
export const newUtteranceId = (): string => newId("utt");
/** Names one connection or HTTP request in the logs of every process. */
export const newRequestId = (): string => newId("req");
/** Names one process: an edge or a worker. */
export const newNodeId = (role: "edge" | "worker"): string => newId(role);
/** 256 random bits; only its hash is stored. */
export const newResumeToken = (): string => randomBytes(32).toString("base64url");
/** The secret part of a listener's token: 192 random bits; only its hash is stored. */
export const newListenerSecret = (): string => randomBytes(24).toString("base64url");
/** Names one life of a stream; drawn anew when a stream is created. */
export const newEpoch = (): string => randomBytes(6).toString("base64url");

/**
 * What a client may choose as its session id: 1 to 128 characters (code points) of any script, spaces and emoji
 * included. Not among them: control characters, line ends, halves of surrogate pairs, private or unassigned code
 * points, and invisible ones that change how a line of a log reads; those that join letters and emoji are. Two ids are
 * the same where their code points are: nothing is normalized.
 */
export const SESSION_ID_PATTERN: RegExp =
  /^(?:[^\p{C}\p{Zl}\p{Zp}]|\u200C|\u200D|[\u{E0020}-\u{E007F}]){1,128}$/u;
/** What a caller may give as `x-request-id`. */
export const REQUEST_ID_PATTERN: RegExp = /^[A-Za-z0-9._-]{1,64}$/;
