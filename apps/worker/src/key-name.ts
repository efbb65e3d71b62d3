import { MAX_KEYS } from "./elevenlabs/account/provider-keys.ts";

/** The providers that a worker may have. */
export type ProviderName = "elevenlabs" | "fallback";

/** A key in metrics: its provider, and its place among that provider's keys, from 1. It tells nothing of the key. */
export type KeyName = `${ProviderName}-${number}`;

export const toKeyName = (provider: ProviderName, index: number): KeyName => `${provider}-${index + 1}`;

/** All there can be. */
export const KEY_NAMES: readonly KeyName[] = (["elevenlabs", "fallback"] as const).flatMap((provider) =>
  Array.from({ length: MAX_KEYS }, (_, index) => toKeyName(provider, index)),
);
