import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { RedisConnection } from "./client.ts";
import { settleWithin } from "./settle-within.ts";
import { toStorageError } from "./storage-error.ts";

/** One Lua script of `redis/lua/`. All its keys lie in one slot and are passed as KEYS. */
export class Script {
  readonly #lua: string;
  readonly #sha: string;

  /** @param name of the file, without its ending */
  constructor(name: string) {
    this.#lua = readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), "utf8");
    this.#sha = createHash("sha1").update(this.#lua).digest("hex");
  }

  /**
   * Runs by hash; a server that does not know the script yet, or no longer, is sent its text. @throws GatewayError
   * `storage.*`
   */
  async run(
    redis: RedisConnection,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): Promise<readonly string[]> {
    try {
      return (await settleWithin(redis.evalsha(this.#sha, keys.length, ...keys, ...args))) as string[];
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw toStorageError(error);
    }
    try {
      return (await settleWithin(redis.eval(this.#lua, keys.length, ...keys, ...args))) as string[];
    } catch (error) {
      throw toStorageError(error);
    }
  }
}
