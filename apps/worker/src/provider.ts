import type { Breaker } from "@tts-labs/core/breaker/breaker";
import { SlotGovernor } from "@tts-labs/core/governor/governor";
import type { GovernorObserver } from "@tts-labs/core/governor/observer";
import type { Logger } from "@tts-labs/core/logger";
import type { Lifecycle } from "@tts-labs/core/process/lifecycle";
import { openBell } from "@tts-labs/core/redis/bell";
import type { RedisConnection } from "@tts-labs/core/redis/client";
import type { Keys } from "@tts-labs/core/redis/keys";
import type { GatewayError } from "@tts-labs/protocol/errors";
import { askAccount } from "./elevenlabs/account/account.ts";
import type { ProviderKey } from "./elevenlabs/account/provider-keys.ts";
import type { ProviderDeadlines } from "./elevenlabs/deadlines.ts";
import {
  type ElevenLabsSynthesizer,
  openElevenLabsSynthesizer,
} from "./elevenlabs/elevenlabs-synthesizer.ts";
import type { ProviderObserver } from "./elevenlabs/observer.ts";
import type { PoolOptions } from "./elevenlabs/pool/pool.ts";
import { type KeyName, type ProviderName, toKeyName } from "./key-name.ts";
import { guardSynthesizer } from "./protection/guarded-synthesizer.ts";
import { KeyLimits } from "./protection/key-limits.ts";
import { ProviderHealth } from "./protection/provider-health.ts";
import {
  type LeaseSource,
  localLeases,
  ProviderSlots,
  switchingLeases,
} from "./protection/provider-slots.ts";
import type { Slots } from "./protection/slots.ts";
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

/** What is known of the provider's keys. */
export interface KeyObserver {
  usable(key: KeyName, isUsable: boolean): void;
  slots(key: KeyName, slots: number): void;
}

/** The same for all providers of a process. */
export interface ProviderSettings {
  /** Of utterances that name none: the plan's limit differs by model. */
  readonly model: string;
  /** Longest wait for what the provider says of a key. */
  readonly accountMs: number;
  readonly slotWaitMs: number;
  readonly deadlines: Partial<ProviderDeadlines>;
  readonly pool: Partial<PoolOptions>;
}

export interface ProviderParts {
  /** Of its slots in Redis, and of its bell. */
  readonly name: ProviderName;
  readonly url: string;
  readonly keys: readonly ProviderKey[];
  readonly settings: ProviderSettings;
  readonly observers: {
    provider(): ProviderObserver;
    governor(): GovernorObserver;
    readonly keys: KeyObserver;
  };
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

/** The circuits of a provider's keys, each with the key's name in metrics. */
export const circuitNames = ({ name, url, keys }: Pick<ProviderParts, "name" | "url" | "keys">) =>
  keys.map((key, index) => [toCircuitName(url, key), toKeyName(name, index)] as const);

/** @throws GatewayError `config.invalid`, or `storage.*` */
export async function openProvider(parts: ProviderParts): Promise<Provider> {
  const { name, url, keys, breaker, lifecycle } = parts;
  const circuits = keys.map((key) => [key.keyId, breaker.circuit(toCircuitName(url, key))] as const);
  const health = new ProviderHealth(new Map(circuits), REFUSED_KEY_REST_MS);
  const observer = parts.observers.keys;
  const nameOf = (keyId: string) =>
    toKeyName(
      name,
      keys.findIndex((key) => key.keyId === keyId),
    );
  const limits = new KeyLimits({
    keys,
    redis: parts.redis,
    name: parts.redisKeys.slots(name, "limits"),
    logger: parts.logger,
    changed: (keyId, slots) => observer.slots(nameOf(keyId), slots),
  });
  lifecycle.add(`${name} limits`, limits, (it) => it.close());
  if (limits.mayLimit) await limits.follow();
  void askAccounts(parts, limits, observer);
  const source = await openLeases(parts, health, limits);
  const sockets = openSockets(parts, health);
  lifecycle.add(`${name} sockets`, sockets, (it) => it.close());
  const slots = new ProviderSlots({
    source,
    health,
    expect: (speech, count) => sockets.expect(speech, count),
    get mostExpected() {
      return limits.keys.reduce((sum, key) => sum + key.slots, 0);
    },
  });
  lifecycle.add(`${name} slots`, slots, (it) => it.close());
  const told = (keyId: string, how: GatewayError | "spoke") => {
    if (how === "spoke") observer.usable(nameOf(keyId), true);
    else if (how.code === "provider.invalid_key") observer.usable(nameOf(keyId), false);
    else if (how.code === "provider.overloaded" && typeof how.facts["limit"] === "number") {
      void limits.named(keyId, how.facts["limit"]);
    }
  };
  return { synthesizer: guardSynthesizer(sockets, health, told), slots, sockets };
}

/** Asks the provider of each key: whether it takes it, and how many its plan allows. Says what is to be known, once. */
async function askAccounts(
  { name, url, keys, settings, logger }: ProviderParts,
  limits: KeyLimits,
  observer: KeyObserver,
) {
  const { model, accountMs: timeoutMs } = settings;
  await Promise.all(
    keys.map(async ({ keyId, secret: apiKey }, index) => {
      const { refusal, slots, from } = await askAccount({ url, apiKey, model, timeoutMs });
      const key = toKeyName(name, index);
      observer.usable(key, refusal === undefined);
      if (refusal !== undefined) {
        const { code, facts } = refusal;
        logger.error(
          { provider: name, key, keyId, code, ...facts },
          `The provider does not accept ${NAMES[name]}. Nothing can be spoken with it.`,
        );
      }
      if (slots !== undefined && from !== undefined) limits.planned(keyId, slots, from);
    }),
  );
}

const NAMES = {
  elevenlabs: "ELEVENLABS_API_KEY (or one of ELEVENLABS_API_KEYS)",
  fallback: "FALLBACK_ELEVENLABS_API_KEY (or one of FALLBACK_ELEVENLABS_API_KEYS)",
} as const;

async function openLeases(
  parts: ProviderParts,
  health: ProviderHealth,
  limits: KeyLimits,
): Promise<LeaseSource> {
  const { name, redisKeys: keys, redis, subscriber, nodeId, lifecycle, logger } = parts;
  const mayServe = (keyId: string) => health.mayServe(keyId);
  const keySlots = limits.keys;
  const keyIds = keySlots.map(({ keyId }) => keyId);
  const unlimited = localLeases(keyIds, mayServe);
  if (!limits.mayLimit) return unlimited;
  const bell = await openBell({ redis, subscriber, keys, nodeId: `${nodeId}.${name}`, logger });
  lifecycle.add(`${name} bell`, bell, (it) => it.close());
  const governor = new SlotGovernor({
    redis,
    bell,
    keys,
    provider: name,
    keySlots,
    logger,
    mayServe,
    settings: { waitMs: parts.settings.slotWaitMs },
    observer: parts.observers.governor(),
  });
  lifecycle.add(`${name} governor`, governor, (it) => it.close());
  return switchingLeases(unlimited, governor, () => keySlots.some(({ slots }) => slots > 0));
}

function openSockets(
  { url, keys, settings, observers, logger }: ProviderParts,
  health: ProviderHealth,
): ElevenLabsSynthesizer {
  const [first, ...further] = keys.map(({ secret }) => secret);
  return openElevenLabsSynthesizer({
    url,
    apiKey: first,
    furtherKeys: further.filter((secret) => secret !== undefined),
    mayWarm: (keyId) => health.mayWarm(keyId),
    deadlines: settings.deadlines,
    pool: settings.pool,
    logger,
    observer: observers.provider(),
  });
}
