import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, openRedis } from "@tts-labs/core/redis/client";
import { afterEach, expect, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { ChaosProxy } from "../../../testkit/redis/chaos-proxy.ts";
import { type PrivateSentinel, startPrivateSentinel } from "../../../testkit/redis/private-sentinel.ts";
import { awaitPausesAtEnd } from "../../../testkit/redis/redis-pauses.ts";

/**
 * A second until the primary counts as gone, the promotion (again after 10 s where it failed), our own way back:
 * 3 to 4 s. But a sentinel that was itself paused for 2 s trusts no answer for 30 s (its "tilt" mode), and so do we it.
 */
const RECOVERY_LIMIT_MS = 60_000;

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

awaitPausesAtEnd();

const startAt = async (urlOf: (sentinel: PrivateSentinel) => string) => {
  const sentinel = await startPrivateSentinel();
  closers.push(() => sentinel.stop());
  const alone = await startEdgeAlone({ redisUrl: urlOf(sentinel) });
  closers.push(() => alone.close());
  const client = await NativeClient.connect(alone.edge.url, {}, { limitMs: 20_000 });
  closers.push(() => client.terminate());
  expect((await client.speak("Before.")).pcm.equals(fakeSpeechOf("Before."))).toBe(true);
  const isReady = async () => (await fetch(new URL("/readyz", alone.edge.url))).status;
  const killPrimary = async () => {
    process.kill(sentinel.primary.pid, "SIGKILL");
    await sentinel.primary.closed;
  };
  return { client, sentinel, isReady, killPrimary };
};

test("a session speaks on after a sentinel has put the replica in the killed primary's place", async () => {
  const { client, isReady, killPrimary } = await startAt(({ url }) => url);
  await killPrimary();
  const killedAtMs = performance.now();
  const failures: boolean[] = [];
  await expect
    .poll(
      async () => {
        const { end, pcm } = await client.speak("After.");
        if (end.type === "error") failures.push(end.retryable);
        return end.type === "stream_complete" && pcm.equals(fakeSpeechOf("After."));
      },
      { timeout: RECOVERY_LIMIT_MS, interval: 100 },
    )
    .toBe(true);
  expect(performance.now() - killedAtMs).toBeLessThan(RECOVERY_LIMIT_MS);
  expect(failures.every(Boolean)).toBe(true);
  await expect.poll(isReady, { timeout: 5_000 }).toBe(200);
}, 90_000);

test("connections that are just asking a slow sentinel when it tells of the new primary find it as well", async () => {
  const sentinel = await startPrivateSentinel();
  closers.push(() => sentinel.stop());
  const { port } = new URL(sentinel.url);
  const slow = await new ChaosProxy().open(Number(port));
  closers.push(() => slow.close());
  slow.delayMs = 200;
  const url = sentinel.url.replace(port, String(slow.port));
  const connections = Array.from({ length: 20 }, () =>
    openRedis({ url, purpose: "queue", logger: silentLogger }),
  );
  closers.push(() => Promise.all(connections.map(closeRedis)));
  const states = () => [...new Set(connections.map(({ status }) => status))];
  await expect.poll(states, { timeout: 10_000 }).toEqual(["ready"]);
  process.kill(sentinel.primary.pid, "SIGKILL");
  await sentinel.promoted();
  await expect.poll(states, { timeout: 20_000 }).toEqual(["ready"]);
  const answers = await Promise.all(
    connections.map((connection, i) => connection.set(`found:${i}`, "", "PX", 1_000)),
  );
  expect(new Set(answers)).toEqual(new Set(["OK"]));
}, 90_000);

test("one that asks no sentinel knows only the dead primary: it speaks no more, and says so", async () => {
  const { client, sentinel, isReady, killPrimary } = await startAt(
    ({ primary }) => `redis://127.0.0.1:${primary.port}`,
  );
  await killPrimary();
  await sentinel.promoted();
  expect((await client.speak("After.")).end).toMatchObject({ type: "error", retryable: true });
  expect(await isReady()).toBe(503);
}, 90_000);
