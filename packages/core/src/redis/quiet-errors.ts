import type { Logger } from "../logger.ts";

/** One line per listener and interval, however often it fails: while Redis is away that is several times a second. */
const INTERVAL_MS = 10_000;

/** A listener for `error` events, which without one would end the process, or be written to the console. */
export function logQuietly(
  logger: Logger,
  message: string,
  facts: Readonly<Record<string, string>>,
): (error: Error) => void {
  let loggedAtMs = Number.NEGATIVE_INFINITY;
  let unlogged = 0;
  return (err) => {
    const nowMs = performance.now();
    if (nowMs - loggedAtMs < INTERVAL_MS) {
      unlogged += 1;
      return;
    }
    logger.warn({ err, ...facts, unlogged }, message);
    loggedAtMs = nowMs;
    unlogged = 0;
  };
}
