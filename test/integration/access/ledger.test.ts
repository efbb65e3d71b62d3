import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Usage, UsageLedger } from "@tts-labs/core/access/usage-ledger";
import { toProviderIdentity } from "@tts-labs/core/cache/cache-key";
import { publicId, tenantOf } from "@tts-labs/edge/access/caller";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { type KeyedEdges, startKeyedEdges } from "../../../testkit/access/keyed-edges.ts";
import { NativeClient } from "../../../testkit/clients/native-client.ts";

const PROVIDER = "http://provider.test";
const EDGE = join(import.meta.dirname, "../../../apps/edge/src/main.ts");
const TENANTS = ["alpha", "beta", "gamma"] as const;
const redisUrl = inject("redisUrl");

let edges: KeyedEdges;
let ledger: UsageLedger;
beforeAll(async () => {
  edges = await startKeyedEdges({
    redisUrl,
    edge: { cache: true, elevenLabsUrl: PROVIDER },
    worker: { provider: toProviderIdentity(PROVIDER) },
  });
  ledger = new UsageLedger(edges.redis, edges.keys);
});
afterAll(() => edges.close());

const month = new Date().toISOString().slice(0, 7);
const totals = (tenant: string) => ledger.totals(tenant, month);
const openAccounts = (tenant: string) => edges.redis.hlen(edges.keys.openAccounts(tenant));
const closed = (tenant: string) => expect.poll(() => openAccounts(tenant), { timeout: 20_000 }).toBe(0);

function expectBalanced(usage: Usage): void {
  expect(usage.synthesized + usage.cached + usage.refused).toBe(usage.asked);
  expect(usage.heard).toBeLessThanOrEqual(usage.delivered);
}

async function post(headers: Readonly<Record<string, string>>, text: string, url: string) {
  const response = await fetch(`${url}/api/v1/synthesize`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "audio/pcm", ...headers },
    body: JSON.stringify({ text }),
  });
  const body = await response.arrayBuffer();
  return { cache: response.headers.get("x-cache"), samples: body.byteLength / 2, status: response.status };
}

/** An edge in a process of its own, which can be killed. */
async function startEdgeProcess(): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const env = {
    PATH: process.env["PATH"],
    REDIS_URL: redisUrl,
    REDIS_KEY_PREFIX: edges.keys.prefix,
    PORT: "0",
    OPS_PORT: "0",
    ACCESS: "keys",
    TTS_VOICE: "simEnglishGrace0000A",
    ELEVENLABS_URL: PROVIDER,
  };
  const child = spawn(process.execPath, [EDGE], { env, stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout ?? process.stdin });
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    lines.close();
  });
  for await (const line of lines) {
    const { url } = JSON.parse(line) as { url?: string };
    if (url !== undefined) return { url, child };
  }
  throw new Error("the edge has ended without listening");
}

describe("the ledger", () => {
  test("counts what was spoken, found in the cache, and refused, to the character", async () => {
    const { headers } = await edges.makeKey("exact");
    const text = "  Spoken once,\nheard twice.  ";
    const first = await post(headers, text, edges.edge.url);
    await expect.poll(async () => (await post(headers, text, edges.edge.url)).cache).toBe("hit");
    await closed("exact");
    const { asked, utterances, cached, ...usage } = await totals("exact");
    expect(asked).toBe(utterances * text.length);
    expect(cached).toBeGreaterThanOrEqual(text.length);
    expect(usage).toEqual({
      synthesized: asked - cached,
      refused: 0,
      delivered: utterances * first.samples,
      heard: utterances * first.samples,
    });
  });

  test("counts text that limits refuse, and what a client has not heard of an utterance it cancels", async () => {
    const limits = { textCharacters: 30 };
    await edges.store.setPolicy("strict", { limits, origins: [], weight: 1 });
    const { headers } = await edges.makeKey("strict");
    const tooLong = "This text is longer than thirty characters.";
    expect((await post(headers, tooLong, edges.edge.url)).status).toBe(413);
    const client = await NativeClient.connect(edges.edge.url, {}, { headers });
    onTestFinished(() => client.close());
    client.send({ type: "text", text: "Never to be heard whole." });
    client.send({ type: "flush" });
    const { utterance_id } = await client.next("utterance_started");
    await client.until("audio", () => (client.received(1).samples > 0 ? true : undefined));
    client.send({ type: "played", utterance_id, samples: 240 });
    client.send({ type: "cancel" });
    await client.next("cancelled");
    await closed("strict");
    const usage = await totals("strict");
    expectBalanced(usage);
    expect(usage).toMatchObject({ refused: tooLong.length, synthesized: 24, heard: 240, utterances: 1 });
    expect(usage.delivered).toBeGreaterThan(240);
  });

  test("closes an account once, however often it is told to", async () => {
    const usage = { asked: 5, synthesized: 5, cached: 0, refused: 0, delivered: 7, heard: 7, utterances: 1 };
    await ledger.note("twice", "utt_1", { asked: 5, cached: 0, openedAtMs: Date.now() });
    await Promise.all([1, 2, 3].map(() => ledger.close("twice", "utt_1", usage)));
    expect(await totals("twice")).toEqual(usage);
  });

  test("balances over 1,000 utterances of 3 tenants, with cancels, cache hits and an edge that is killed", async () => {
    const asked = new Map<string, number>(TENANTS.map((it) => [it, 0]));
    const add = (tenant: string, text: string) => asked.set(tenant, (asked.get(tenant) ?? 0) + text.length);
    const keys = new Map(
      await Promise.all(TENANTS.map(async (it) => [it, (await edges.makeKey(it)).headers] as const)),
    );
    const headersOf = (tenant: string) => keys.get(tenant as (typeof TENANTS)[number]) ?? { "x-api-key": "" };

    // 720 requests, of which four of five say what was said before.
    const requests = Array.from({ length: 720 }, (_, i) => i);
    const inParallel = 24;
    await Promise.all(
      Array.from({ length: inParallel }, async () => {
        for (let i = requests.pop(); i !== undefined; i = requests.pop()) {
          const tenant = TENANTS[i % 3] ?? "alpha";
          const text = `Phrase ${Math.floor(i / 15)} of ${tenant}.`;
          add(tenant, text);
          expect((await post(headersOf(tenant), text, edges.urls[i % 2] ?? "")).status).toBe(200);
        }
      }),
    );

    // 240 utterances in sessions, each second one cancelled as soon as it has begun.
    await Promise.all(
      TENANTS.flatMap((tenant) =>
        edges.urls.map(async (url) => {
          const client = await NativeClient.connect(url, {}, { headers: headersOf(tenant), limitMs: 30_000 });
          for (let i = 1; i <= 40; i++) {
            const text = `Line ${i} of ${tenant}, said to ${url}.`;
            add(tenant, text);
            client.send({ type: "text", text, end: true });
            const { utterance_id } = await client.next("utterance_started", (it) => it.utterance === i);
            if (i % 2 === 0 && !client.messages.some((it) => isEndOf(it, utterance_id))) {
              client.send({ type: "cancel", utterance_id });
            }
            await client.utterance(i);
          }
          await client.close();
        }),
      ),
    );

    // 40 utterances on an edge that is killed in the middle of them.
    const { url, child } = await startEdgeProcess();
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const tenant = TENANTS[i % 3] ?? "alpha";
        const client = await NativeClient.connect(url, {}, { headers: headersOf(tenant), limitMs: 30_000 });
        onTestFinished(() => client.terminate());
        const text = `Text ${i} that never ends, `;
        add(tenant, text);
        client.send({ type: "text", text });
        client.send({ type: "flush" });
        await client.until("audio", () => (client.received(1).samples > 0 ? true : undefined));
      }),
    );
    child.kill("SIGKILL");
    await once(child, "exit");

    for (const tenant of TENANTS) {
      const settle = async () => {
        await ledger.settleLost(tenant, 0);
        return openAccounts(tenant);
      };
      await expect.poll(settle, { timeout: 60_000, interval: 1_000 }).toBe(0);
      const usage = await totals(tenant);
      expectBalanced(usage);
      expect(usage.asked, tenant).toBe(asked.get(tenant));
      expect(usage.cached).toBeGreaterThan(0);
      const given = edges.worker.runs.filter(({ job }) => tenantOf(job.sessionId) === tenant);
      expect(given.every(({ job }) => !publicId(job.sessionId).includes(tenant))).toBe(true);
      const spoken = given.reduce((sum, { text }) => sum + text.length, 0);
      // What was cancelled before its worker had read it all was still asked of one.
      expect(usage.synthesized).toBeGreaterThanOrEqual(spoken);
    }
    const all = await Promise.all(TENANTS.map(totals));
    expect(all.reduce((sum, { utterances }) => sum + utterances, 0)).toBe(1_000);
  }, 180_000);
});

const isEndOf = (message: object, utteranceId: string): boolean =>
  "utterance_id" in message &&
  message.utterance_id === utteranceId &&
  "type" in message &&
  message.type === "stream_complete";
