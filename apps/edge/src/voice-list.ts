import type { RedisConnection } from "@tts-labs/core/redis/client";
import type { Keys } from "@tts-labs/core/redis/keys";
import { toStorageError } from "@tts-labs/core/redis/storage-error";
import { z } from "zod";
import type { Voice } from "./ops-routes.ts";

const storedVoices = z.array(z.object({ id: z.string(), name: z.string(), language: z.string().optional() }));

/**
 * The voices that workers have found at the provider and left in Redis (a string: JSON of id, name, language).
 * While none has, the default voice alone. @throws GatewayError `storage.*`
 */
export async function readVoices(redis: RedisConnection, keys: Keys, defaultVoice: string): Promise<Voice[]> {
  const only = [{ id: defaultVoice, name: defaultVoice }];
  const stored = await redis
    .get(keys.voices)
    .catch((error: unknown) => Promise.reject(toStorageError(error)));
  if (stored === null) return only;
  const voices = storedVoices.safeParse(parseJson(stored));
  if (!voices.success || voices.data.length === 0) return only;
  return voices.data.map(({ id, name, language }) => ({ id, name, ...(language ? { language } : {}) }));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
