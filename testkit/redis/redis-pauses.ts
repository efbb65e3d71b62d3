import { setTimeout as sleep } from "node:timers/promises";
import { afterAll } from "vitest";

const timers = () => process.getActiveResourcesInfo().filter((it) => it === "Timeout").length;

/** A cancel that can't be stored (5 s), its job that can't be taken back (2 s), and a pause of BullMQ's (5 s). */
const LIMIT_MS = 13_000;

/**
 * For files that close while Redis is away: an edge does not wait for what is not answered, and BullMQ and ioredis
 * pause after a failed attempt, closed or not. All of it ends by itself.
 */
export function awaitPausesAtEnd(): void {
  const before = timers();
  afterAll(async () => {
    const deadlineMs = performance.now() + LIMIT_MS;
    // By a timer that Node does not list.
    while (timers() > before && performance.now() < deadlineMs) await sleep(20, undefined, { ref: false });
  });
}
