import { randomBytes } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** Single-use tokens live this long (docs/elevenlabs.md 1.2). */
const TOKEN_LIFE_MS = 15 * 60 * 1000;
/** Tokens alive at a time; beyond it the oldest is forgotten. */
const MAX_TOKENS = 10_000;

export type Credentials = "good" | "bad" | "none";

/** Keys and single-use tokens. */
export class Keyring {
  readonly #keys: ReadonlySet<string>;
  readonly #tokens = new Map<string, number>();

  constructor(apiKeys: string) {
    this.#keys = new Set(
      apiKeys
        .split(",")
        .map((key) => key.trim())
        .filter((key) => key !== ""),
    );
  }

  /** What a request or an upgrade shows. A token is spent by being shown. */
  judge(headers: IncomingHttpHeaders, query: URLSearchParams): Credentials {
    const key = headers["xi-api-key"];
    if (typeof key === "string") return this.judgeKey(key);
    const bearer = headers.authorization ?? query.get("authorization");
    if (typeof bearer === "string") return this.judgeKey(bearer.replace(/^bearer\s+/i, ""));
    const token = query.get("single_use_token");
    if (token !== null) return this.#spend(token);
    return "none";
  }

  judgeKey(key: string): Credentials {
    return this.#keys.has(key) ? "good" : "bad";
  }

  issueToken(): string {
    const token = `sutkn_${randomBytes(24).toString("hex")}`;
    this.#tokens.set(token, Date.now() + TOKEN_LIFE_MS);
    if (this.#tokens.size > MAX_TOKENS) {
      for (const oldest of this.#tokens.keys()) {
        this.#tokens.delete(oldest);
        break;
      }
    }
    return token;
  }

  #spend(token: string): Credentials {
    const expiresAtMs = this.#tokens.get(token);
    this.#tokens.delete(token);
    return expiresAtMs !== undefined && expiresAtMs > Date.now() ? "good" : "bad";
  }
}
