import { Circuit } from "@tts-labs/core/breaker/circuit";
import { CircuitRecord, DEFAULT_BREAKER } from "@tts-labs/core/breaker/circuit-record";
import { silentObserver } from "@tts-labs/core/breaker/observer";
import { silentLogger } from "@tts-labs/core/logger";
import type { RedisConnection } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { ProviderHealth } from "@tts-labs/worker/protection/provider-health";

/**
 * Circuits of a process that has no Redis: they count for themselves, by the default settings but for the time open.
 */
export function openLocalHealth(keyIds: readonly string[], restMs = 60_000, openMs = 80): ProviderHealth {
  const evalsha = () => Promise.reject(new Error("Connection is closed."));
  const redis = { evalsha, eval: evalsha } as unknown as RedisConnection;
  const settings = { ...DEFAULT_BREAKER, openMs };
  const circuits = keyIds.map((keyId) => {
    const record = new CircuitRecord(redis, new Keys("test"), keyId, settings);
    const parts = { record, settings, observer: silentObserver, logger: silentLogger, publish: () => {} };
    return [keyId, new Circuit(parts)] as const;
  });
  return new ProviderHealth(new Map(circuits), restMs);
}
