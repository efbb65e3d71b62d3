import { slotOf } from "@tts-labs/core/redis/slot";
import { afterEach, expect, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { Gate } from "../../../testkit/ground/gate.ts";
import { startPrivateCluster } from "../../../testkit/redis/private-cluster.ts";
import { awaitPausesAtEnd } from "../../../testkit/redis/redis-pauses.ts";

/** No two alike, so that none is another's. */
const textOf = (i: number) =>
  `${i}: one primary dies while I speak, its replica takes its place, and nobody hears a thing but a pause.`;
/** As many, so that each primary has some. */
const SESSIONS = 9;
/** Primaries share the 16,384 slots in order. */
const SLOTS_OF_EACH = Math.ceil(16_384 / 3);
/** Node-timeout 2 s, the vote, and our own way back. */
const RECOVERY_LIMIT_MS = 15_000;

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

awaitPausesAtEnd();

const start = async (gate: Gate) => {
  const cluster = await startPrivateCluster({ replicas: true });
  closers.push(() => cluster.stop());
  const alone = await startEdgeAlone({
    redisUrl: cluster.url,
    edge: { stallTimeoutMs: 20_000 },
    worker: { beforeChunk: () => gate.passed() },
  });
  closers.push(() => alone.close());
  /** The primary at the place where `key` lies. */
  const primaryOf = (key: string) => {
    const node = cluster.nodes[Math.floor(slotOf(key) / SLOTS_OF_EACH)];
    if (node === undefined) throw new RangeError(`no primary for ${key}`);
    return node;
  };
  return { alone, cluster, queuesOwn: primaryOf(alone.keys.queuePrefix), primaryOf };
};
const connectTo = async ({ edge }: EdgeAlone): Promise<NativeClient> => {
  const client = await NativeClient.connect(edge.url, {}, { limitMs: 30_000 });
  closers.push(() => client.terminate());
  return client;
};

test("utterances go on byte for byte when a primary that holds some of them is killed", async () => {
  const gate = new Gate();
  const { alone, cluster, queuesOwn, primaryOf } = await start(gate);
  gate.limitTo(SESSIONS * 4);
  const clients = await Promise.all(Array.from({ length: SESSIONS }, () => connectTo(alone)));
  const speaking = clients.map((client, i) => client.speak(textOf(i)));
  await Promise.all(clients.map((client) => client.next("utterance_started")));
  await expect.poll(() => alone.worker.runs.length).toBe(SESSIONS);
  const homes = alone.worker.runs.map((run) =>
    primaryOf(alone.keys.stream({ tag: run.job.utteranceId, name: "audio" }, "meta")),
  );
  const victim = cluster.nodes.find((node) => node !== queuesOwn && homes.includes(node));
  if (victim === undefined) throw new Error("all utterances lie where the queue does");
  process.kill(victim.pid, "SIGKILL");
  await victim.closed;
  const killedAtMs = performance.now();
  gate.open();
  for (const [i, spoken] of (await Promise.all(speaking)).entries()) {
    expect(spoken.end.type).toBe("stream_complete");
    expect(spoken.pcm.equals(fakeSpeechOf(textOf(i)))).toBe(true);
  }
  expect(performance.now() - killedAtMs).toBeLessThan(RECOVERY_LIMIT_MS);
});

test("jobs are taken again when the primary that holds the queue has been killed", async () => {
  const { alone, queuesOwn } = await start(new Gate());
  const client = await connectTo(alone);
  expect((await client.speak("Before.")).end.type).toBe("stream_complete");
  process.kill(queuesOwn.pid, "SIGKILL");
  await queuesOwn.closed;
  const killedAtMs = performance.now();
  const ends: string[] = [];
  await expect
    .poll(
      async () => {
        const { end } = await client.speak(`Is anybody there, I ask for the ${ends.length + 1}th time?`);
        ends.push(end.type === "error" ? `${end.code} ${end.retryable}` : end.type);
        return end.type;
      },
      { timeout: RECOVERY_LIMIT_MS, interval: 100 },
    )
    .toBe("stream_complete");
  expect(performance.now() - killedAtMs).toBeLessThan(RECOVERY_LIMIT_MS);
  expect(ends.slice(0, -1).every((it) => /^(storage\.\w+|worker\.unavailable) true$/.test(it))).toBe(true);
});
