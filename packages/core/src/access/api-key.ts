import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** What an API key looks like: `tts_<id>_<secret>`; the id finds it, 256 random bits make it secret. */
const KEY_PATTERN = /^tts_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/;
/** The same anywhere in a text, for those who look for keys in places where none should be. */
export const KEY_ANYWHERE: RegExp = /tts_[0-9a-f]{12}_[A-Za-z0-9_-]{43}/;

export interface NewApiKey {
  readonly id: string;
  /** Shown once, to the person who made it; nowhere stored. */
  readonly key: string;
  readonly hash: string;
}

export interface ShownApiKey {
  readonly id: string;
  readonly hash: string;
}

export function newApiKey(): NewApiKey {
  const id = randomBytes(6).toString("hex");
  const key = `tts_${id}_${randomBytes(32).toString("base64url")}`;
  return { id, key, hash: hashOf(key) };
}

/** `undefined` for what can't be a key. */
export function parseApiKey(text: string): ShownApiKey | undefined {
  const [, id] = KEY_PATTERN.exec(text) ?? [];
  return id === undefined ? undefined : { id, hash: hashOf(text) };
}

/** Takes the same time wherever the two differ. */
export function isSameHash(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** SHA-256 does: what is hashed has 256 random bits, which no dictionary helps to guess. */
export const hashOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");
