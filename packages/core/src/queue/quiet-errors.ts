import type { Logger } from "../logger.ts";

/** One line per interval, however often BullMQ fails: while Redis is away it does so several times a second. */
const INTERVAL_MS = 10_000;

/** A listener for `error` events, without which they would end the process. */
export function logQuietly(logger: Logger, part: string): (error: Error) => void {
  let loggedAtMs = Number.NEGATIVE_INFINITY;
  let unlogged = 0;
  return (err) => {
    const nowMs = performance.now();
    if (nowMs - loggedAtMs < INTERVAL_MS) {
      unlogged += 1;
      return;
    }
    logger.warn({ err, part, unlogged }, "queue failed");
    loggedAtMs = nowMs;
    unlogged = 0;
  };
}
