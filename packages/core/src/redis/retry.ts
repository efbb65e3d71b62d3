import { setTimeout as sleep } from "node:timers/promises";
import type { GatewayError } from "@tts-labs/protocol/errors";
import { toStorageError } from "./storage-error.ts";

const FIRST_DELAY_MS = 20;
const LONGEST_DELAY_MS = 500;

/**
 * Repeats `attempt` while Redis is away, with growing pauses, until `limitMs` have passed; the last error is
 * then thrown. Only `storage.*` is repeated: what Redis refused it will refuse again.
 * @param attempt is told how often it has failed before
 * @throws GatewayError, or the signal's reason
 */
export async function retryStorage<T>(
  limitMs: number,
  signal: AbortSignal | undefined,
  attempt: (failures: number) => Promise<T>,
): Promise<T> {
  const endAtMs = performance.now() + limitMs;
  for (let failures = 0; ; failures += 1) {
    let error: GatewayError;
    try {
      return await attempt(failures);
    } catch (cause) {
      error = toStorageError(cause);
    }
    const delayMs = Math.min(FIRST_DELAY_MS * 2 ** Math.min(failures, 10), LONGEST_DELAY_MS);
    const pauseMs = delayMs * (0.5 + Math.random() * 0.5);
    if (!error.code.startsWith("storage.") || performance.now() + pauseMs >= endAtMs) throw error;
    await pause(pauseMs, signal);
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
