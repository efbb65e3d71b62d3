import { setTimeout as sleep } from "node:timers/promises";
import { toGatewayError } from "@tts-labs/core/errors";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Tries again while Redis is away: what must be stored is worth waiting for, but not for ever.
 * @throws GatewayError the last `storage.*` after `forMs`; any other at once
 */
export async function withStorageRetry<T>(forMs: number, attempt: () => Promise<T>): Promise<T> {
  const untilMs = performance.now() + forMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await attempt();
    } catch (error) {
      const cause = toGatewayError(error);
      if (cause.family !== "storage" || performance.now() + pauseMs > untilMs) throw cause;
      await sleep(pauseMs);
    }
  }
}
