import { readFile } from "node:fs/promises";
import { silentLogger } from "@tts-labs/core/logger";
import { parseEnvironment } from "@tts-labs/core/process/environment";
import { sharedEnvironment } from "@tts-labs/core/process/shared-environment";
import { closeRedis, openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { toGatewayError } from "@tts-labs/protocol/errors";
import { STARTED_REDIS_FILE } from "../cache/started-redis.ts";
import type { KeysContext } from "./options.ts";

/** Runs `work` at the Redis that the edges use. @returns the exit code; what fails is told in one sentence */
export async function atRedis(
  { env, complain }: KeysContext,
  work: (redis: RedisConnection, keys: Keys) => Promise<void>,
): Promise<number> {
  try {
    const found = env["REDIS_URL"] ? {} : { REDIS_URL: await startedRedis() };
    const { redisUrl, keyPrefix } = parseEnvironment(sharedEnvironment, { ...env, ...found });
    const redis = openRedis({ url: redisUrl, purpose: "commands", logger: silentLogger });
    try {
      await work(redis, new Keys(keyPrefix));
    } finally {
      await closeRedis(redis);
    }
    return 0;
  } catch (thrown) {
    const error = toGatewayError(thrown);
    const hint = error.family === "storage" ? " Is Redis there? Name it with REDIS_URL." : "";
    complain(`${error.message}${hint}`);
    return 1;
  }
}

const startedRedis = async (): Promise<string | undefined> =>
  (await readFile(STARTED_REDIS_FILE, "utf8").catch(() => "")).trim() || undefined;
