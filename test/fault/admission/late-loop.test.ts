import { afterEach, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { metric } from "../../../testkit/ground/metrics.ts";

const MAX_LAG_MS = 60;
/** Length of each stretch of work that keeps the edge's event loop, which is also ours, from all else. */
const BUSY_MS = 150;
const TEXT = "I was here before it became late.";

let alone: EdgeAlone | undefined;
let busy: NodeJS.Timeout | undefined;
const clients: NativeClient[] = [];
afterEach(async () => {
  clearInterval(busy);
  for (const client of clients.splice(0)) await client.terminate();
  await alone?.close();
});

const connect = async (url: string) => {
  const client = await NativeClient.connect(url, {}, { limitMs: 20_000 });
  clients.push(client);
  return client;
};

/** An edge with one session, whose event loop is late from then on. */
async function startLate(admissionMaxLagMs: number) {
  alone = await startEdgeAlone({
    redisUrl: inject("redisUrl"),
    edge: { admissionMaxLagMs, admissionMaxQueueWaitMs: 0, admissionMaxWaiting: 0 },
  });
  const { url, opsUrl } = alone.edge;
  const client = await connect(url);
  busy = setInterval(() => {
    const untilMs = performance.now() + BUSY_MS;
    while (performance.now() < untilMs);
  }, BUSY_MS / 10);
  return { url, opsUrl, client };
}

const isClosed = (opsUrl: string) => metric(opsUrl, "tts_edge_admission_closed").catch(() => 0);

test("an edge that is late lets nobody new in, tells when to come, and speaks on with those it has", async () => {
  const { url, opsUrl, client } = await startLate(MAX_LAG_MS);
  await expect.poll(() => isClosed(opsUrl), { timeout: 15_000 }).toBe(1);
  await expect(connect(url)).rejects.toThrow(/503 capacity\.overloaded/);
  expect((await client.speak(TEXT)).pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
  clearInterval(busy);
  await expect.poll(() => isClosed(opsUrl), { timeout: 15_000 }).toBe(0);
  const late = await connect(url);
  expect((await late.speak(TEXT)).end.type).toBe("stream_complete");
}, 60_000);

test("where nobody looks at it, more come in the later it gets", async () => {
  const { url, opsUrl } = await startLate(0);
  for (let more = 0; more < 10; more++) await connect(url);
  expect(await isClosed(opsUrl)).toBe(0);
  expect(alone?.edge.counts().sessions).toBe(11);
}, 60_000);
