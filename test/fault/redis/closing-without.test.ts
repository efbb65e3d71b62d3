import { afterEach, expect, test } from "vitest";
import { startPrivateRedis } from "../../../scripts/private-redis.ts";
import { startFleet } from "../../../scripts/supervisor/fleet.ts";
import { NativeClient } from "../../../testkit/clients/native-client.ts";

/** Ctrl-C must not feel stuck. Redis, which the same Ctrl-C reaches, may be gone first. */
const GONE_WITHIN_MS = 3_000;
const TEXT = "This is still being said when Redis, the edge and the worker are all told to go. ".repeat(8);

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

test("edge and worker leave at once where Redis has gone before them, in the middle of speech", async () => {
  const redis = await startPrivateRedis();
  closers.push(() => redis.stop());
  const fleet = await startFleet({
    redisUrl: redis.url,
    // As `npm start` has it.
    env: { worker: { WORKER_DRAIN_MS: "0" }, edge: { DRAIN_SPREAD_MS: "0" } },
  });
  closers.push(() => fleet.close());
  const client = await NativeClient.connect(fleet.edges[0]?.url ?? "");
  closers.push(() => client.terminate());
  client.send({ type: "text", text: TEXT });
  client.send({ type: "stream_end" });
  await client.until("a second of speech", () => client.received(1).samples > 24_000 || undefined);

  process.kill(redis.pid, "SIGKILL");
  await redis.closed;
  const beganAtMs = performance.now();
  await Promise.all([...fleet.edges, ...fleet.workers].map((member) => member.stop()));
  expect(performance.now() - beganAtMs).toBeLessThan(GONE_WITHIN_MS);
});
