import { silentLogger } from "@tts-labs/core/logger";
import { openRedis } from "@tts-labs/core/redis/client";

/** Keys under a prefix that would stay in Redis for ever. */
export async function keysWithoutTtl(redisUrl: string, keyPrefix: string): Promise<string[]> {
  const redis = openRedis({ url: redisUrl, purpose: "commands", logger: silentLogger });
  try {
    const lasting: string[] = [];
    for (const key of await redis.keys(`*${keyPrefix}*`)) {
      if ((await redis.pttl(key)) === -1) lasting.push(key);
    }
    return lasting.sort();
  } finally {
    redis.disconnect();
  }
}
