import { z } from "zod";
import type { RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { toStorageError } from "../redis/storage-error.ts";

/** A voice for people to choose from. */
export interface Voice {
  readonly id: string;
  readonly name: string;
  /** ISO 639-1, where the provider tells it. */
  readonly language?: string;
}

/** The provider's voices, written by workers (which have the key), read by edges. */
export interface VoiceList {
  /** Any worker's list replaces any other's. @throws GatewayError `storage.*` */
  put(voices: readonly Voice[], ttlMs: number): Promise<void>;
  /** `undefined` where no worker has put one lately. @throws GatewayError `storage.*` */
  get(): Promise<readonly Voice[] | undefined>;
}

/** The voice of utterances that name none, where none is configured: the one so far if it is listed, else the first. */
export const firstVoice = (voices: readonly Voice[], soFar?: string): string | undefined =>
  voices.some(({ id }) => id === soFar) ? soFar : voices[0]?.id;

const voicesSchema = z.array(
  z.object({ id: z.string(), name: z.string(), language: z.string().exactOptional() }),
);

export function openVoiceList(options: { readonly redis: RedisConnection; readonly keys: Keys }): VoiceList {
  const { redis, keys } = options;
  return {
    put: async (voices, ttlMs) => {
      try {
        await redis.set(keys.voices, JSON.stringify(voices), "PX", ttlMs);
      } catch (error) {
        throw toStorageError(error);
      }
    },
    get: async () => {
      try {
        const stored = await redis.get(keys.voices);
        return stored === null ? undefined : voicesSchema.parse(JSON.parse(stored));
      } catch (error) {
        throw toStorageError(error);
      }
    },
  };
}
