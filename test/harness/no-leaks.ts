import { setTimeout as sleep } from "node:timers/promises";
import { afterAll } from "vitest";

/**
 * Accuses a test file that leaves open what it opened: sockets, servers, child processes, timers. Runs in
 * each file's own process before it, and its `afterAll` runs after the file's own. What is unref'ed does not
 * count (the pooled connections of `fetch`, say); worker threads and uWebSockets.js' sockets Node does not list.
 */
const KINDS = new Set([
  "TCPSocketWrap",
  "TCPServerWrap",
  "TLSWrap",
  "PipeWrap",
  "ProcessWrap",
  "UDPWrap",
  "Timeout",
]);

/** For what is being closed as the last test ends. */
const SETTLE_MS = 2_000;

const before = open();

afterAll(async () => {
  const deadlineMs = performance.now() + SETTLE_MS;
  while (leaked().length > 0 && performance.now() < deadlineMs) await sleep(20, undefined, { ref: false });
  const left = leaked();
  if (left.length > 0) throw new Error(`this file leaves open: ${left.join(", ")}`);
});

function open(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (KINDS.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

function leaked(): string[] {
  return [...open()].flatMap(([kind, count]) => {
    const more = count - (before.get(kind) ?? 0);
    return more > 0 ? [`${more} ${kind}`] : [];
  });
}
