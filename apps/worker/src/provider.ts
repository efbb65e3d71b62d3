import type { Breaker } from "@tts-labs/core/breaker/breaker";
import { SlotGovernor } from "@tts-labs/core/governor/governor";
import type { GovernorObserver } from "@tts-labs/core/governor/observer";
import type { Logger } from "@tts-labs/core/logger";
import type { Lifecycle } from "@tts-labs/core/process/lifecycle";
import { openBell } from "@tts-labs/core/redis/bell";
import type { RedisConnection } from "@tts-labs/core/redis/client";
import type { Keys } from "@tts-labs/core/redis/keys";
import type { ProviderDeadlines } from "./elevenlabs/deadlines.ts";
import {
  type ElevenLabsSynthesizer,
  openElevenLabsSynthesizer,
} from "./elevenlabs/elevenlabs-synthesizer.ts";
import type { ProviderObserver } from "./elevenlabs/observer.ts";
import type { PoolOptions } from "./elevenlabs/pool.ts";
import type { ProviderKey } from "./elevenlabs/provider-keys.ts";
import { guardSynthesizer } from "./guarded-synthesizer.ts";
import { ProviderHealth } from "./provider-health.ts";
import { type LeaseSource, localLeases, ProviderSlots } from "./provider-slots.ts";
import type { Slots } from "./slots.ts";
import type { Synthesizer } from "./synthesizer.ts";

/** A key that was refused, or whose quota is used up, is not tried for so long where there is another. */
const REFUSED_KEY_REST_MS = 60_000;

/** A provider as runs have it, with circuits, slots and sockets of its own. */
export interface Provider {
  /** Asks the circuits first. */
  readonly synthesizer: Synthesizer;
  readonly slots: Slots;
  /** What is not asked for an utterance: voices, sockets ahead. */
  readonly sockets: ElevenLabsSynthesizer;
}

/** The same for all providers of a process. */
export interface ProviderSettings {
  readonly slotWaitMs: number;
  readonly deadlines: Partial<ProviderDeadlines>;
  readonly pool: Partial<PoolOptions>;
}

export interface ProviderParts {
  /** Of its slots in Redis, and of its bell. */
  readonly name: "elevenlabs" | "fallback";
  readonly url: string;
  readonly keys: readonly ProviderKey[];
  readonly settings: ProviderSettings;
  readonly observers: { provider(): ProviderObserver; governor(): GovernorObserver };
  readonly breaker: Breaker;
  readonly nodeId: string;
  readonly redis: RedisConnection;
  readonly subscriber: RedisConnection;
  readonly redisKeys: Keys;
  /** Owns what is opened here. */
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
}

/** One for each key, of one host. */
export const toCircuitName = (url: string, { keyId }: ProviderKey): string =>
  `${URL.parse(url)?.host} ${keyId}`;

/** @throws GatewayError `config.invalid`, or `storage.*` */
export async function openProvider(parts: ProviderParts): Promise<Provider> {
  const { name, url, keys, breaker, lifecycle } = parts;
  const circuits = keys.map((key) => [key.keyId, breaker.circuit(toCircuitName(url, key))] as const);
  const health = new ProviderHealth(new Map(circuits), REFUSED_KEY_REST_MS);
  const source = await openLeases(parts, health);
  const sockets = openSockets(parts, health);
  lifecycle.add(`${name} sockets`, sockets, (it) => it.close());
  const slots = new ProviderSlots({
    ...{ source, health, expect: (speech, count) => sockets.expect(speech, count) },
    mostExpected: keys.reduce((sum, key) => sum + key.slots, 0),
  });
  lifecycle.add(`${name} slots`, slots, (it) => it.close());
  return { synthesizer: guardSynthesizer(sockets, health), slots, sockets };
}

async function openLeases(parts: ProviderParts, health: ProviderHealth): Promise<LeaseSource> {
  const { name, keys: keySlots, redisKeys: keys, redis, subscriber, nodeId, lifecycle, logger } = parts;
  const mayServe = (keyId: string) => health.mayServe(keyId);
  if (keySlots.every(({ slots }) => slots === 0)) {
    return localLeases(
      keySlots.map(({ keyId }) => keyId),
      mayServe,
    );
  }
  const bell = await openBell({ redis, subscriber, keys, nodeId: `${nodeId}.${name}`, logger });
  lifecycle.add(`${name} bell`, bell, (it) => it.close());
  const governor = new SlotGovernor({
    ...{ redis, bell, keys, provider: name, keySlots, logger, mayServe },
    settings: { waitMs: parts.settings.slotWaitMs },
    observer: parts.observers.governor(),
  });
  return lifecycle.add(`${name} governor`, governor, (it) => it.close());
}

function openSockets(
  { url, keys, settings, observers, logger }: ProviderParts,
  health: ProviderHealth,
): ElevenLabsSynthesizer {
  const [first, ...further] = keys.map(({ secret }) => secret);
  return openElevenLabsSynthesizer({
    ...{ url, apiKey: first, furtherKeys: further.filter((secret) => secret !== undefined) },
    mayWarm: (keyId) => health.mayWarm(keyId),
    ...{ deadlines: settings.deadlines, pool: settings.pool, logger },
    observer: observers.provider(),
  });
}
