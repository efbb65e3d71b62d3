import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { settleWithin } from "../redis/settle-within.ts";
import { toStorageError } from "../redis/storage-error.ts";
import { hashOf } from "./api-key.ts";

/** What a token is good for: one WebSocket, one listener's connection, or one request for speech. */
export const TOKEN_PURPOSES = ["stream", "listen", "synthesize"] as const;
export type TokenPurpose = (typeof TOKEN_PURPOSES)[number];

/** Longest life of a token: it is made for a page that uses it at once. */
export const MAX_TOKEN_SECONDS = 300;

const claimsSchema = z.object({
  tenant: z.string(),
  keyId: z.string(),
  purpose: z.enum(TOKEN_PURPOSES),
  origin: z.string().exactOptional(),
});

export interface TokenClaims {
  readonly tenant: string;
  /** The key that has made it; a token does not outlive its key. */
  readonly keyId: string;
  readonly purpose: TokenPurpose;
  /** The page that may use it; absent: any that the edge lets in, and programs. */
  readonly origin?: string;
}

/** Tokens in Redis, by their hash: made once, spent once, gone after seconds. */
export class BrowserTokens {
  readonly #redis: RedisConnection;
  readonly #keys: Keys;

  constructor(redis: RedisConnection, keys: Keys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  /** @returns 256 random bits, which nothing stores @throws GatewayError `storage.*` */
  async mint(claims: TokenClaims, ttlMs: number): Promise<string> {
    const token = randomBytes(32).toString("base64url");
    const key = this.#keys.browserToken(hashOf(token));
    try {
      await settleWithin(this.#redis.set(key, JSON.stringify(claims), "PX", ttlMs));
      return token;
    } catch (error) {
      throw toStorageError(error);
    }
  }

  /** Of several that spend one at once, one gets it. @throws GatewayError `storage.*` */
  async spend(token: string): Promise<TokenClaims | undefined> {
    try {
      const stored = await settleWithin(this.#redis.getdel(this.#keys.browserToken(hashOf(token))));
      return stored === null ? undefined : claimsSchema.parse(JSON.parse(stored));
    } catch (error) {
      throw toStorageError(error);
    }
  }
}
