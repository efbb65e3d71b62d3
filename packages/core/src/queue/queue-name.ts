import { GatewayError } from "@tts-labs/protocol/errors";
import type { Keys } from "../redis/keys.ts";

export const QUEUE_NAME = "utterances";

/**
 * BullMQ's scripts touch many keys at once, so that on a cluster all of them must lie in one slot: without a
 * hash tag its worker loops on CROSSSLOT errors, thousands of lines in seconds (docs/ground.md, BullMQ).
 * @throws GatewayError `config.invalid`
 */
export function assertHashTag(prefix: string): void {
  if (/^\{[^{}:]+\}$/.test(prefix)) return;
  throw new GatewayError("config.invalid", "The queue's prefix must be one Redis hash tag, such as {jobs}.", {
    facts: { prefix },
  });
}

/**
 * The keys that BullMQ keeps while the queue is empty; it gives them no TTL, so we do. All of them may vanish
 * when the queue was not used for so long: `meta` (bound of the events, version) is written again by the
 * next process that opens the queue, `id` counts only jobs without an id of their own (ours have one), `events`
 * is not read here.
 *
 * All others come and go with the jobs: `wait`, `active`, `stalled`, `marker` and a hash per job vanish with
 * the last job; `stalled-check` and a job's `lock` have TTLs by BullMQ itself.
 */
export const standingKeys = (keys: Keys): string[] =>
  ["meta", "id", "events"].map((type) => `${keys.queuePrefix}:${QUEUE_NAME}:${type}`);

export const STANDING_KEYS_TTL_MS = 86_400_000;
