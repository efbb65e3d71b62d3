import type { TenantLimits } from "@tts-labs/core/access/tenant";
import { DEFAULT_POLICY } from "@tts-labs/core/access/tenant";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { type KeyedEdges, startKeyedEdges } from "../../../testkit/access/keyed-edges.ts";
import { NativeClient } from "../../../testkit/clients/native-client.ts";

let edges: KeyedEdges;
let tenants = 0;
beforeAll(async () => {
  edges = await startKeyedEdges({ redisUrl: inject("redisUrl") });
});
afterAll(() => edges.close());

/** The headers of a new tenant with these limits. */
async function tenantWith(limits: TenantLimits) {
  const tenant = `tenant-${++tenants}`;
  await edges.store.setPolicy(tenant, { ...DEFAULT_POLICY, limits });
  return (await edges.makeKey(tenant)).headers;
}

interface Told {
  readonly error: { readonly code: string; readonly message: string; readonly [fact: string]: unknown };
}

async function post(headers: Readonly<Record<string, string>>, body: object, url = edges.edge.url) {
  const response = await fetch(`${url}/api/v1/synthesize`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "audio/pcm", ...headers },
    body: JSON.stringify(body),
  });
  const { status } = response;
  const retryAfter = Number(response.headers.get("retry-after") ?? 0);
  if (status === 200) {
    await response.arrayBuffer();
    return { status, retryAfter, code: "", message: "" };
  }
  const { error } = (await response.json()) as Told;
  return { status, retryAfter, code: error.code, message: error.message };
}

async function connect(headers: Readonly<Record<string, string>>, query = {}, url = edges.edge.url) {
  const client = await NativeClient.connect(url, query, { headers });
  onTestFinished(() => client.close());
  return client;
}

describe("a tenant's limits", () => {
  test("on connections are exact, however many come at once, on two edges", async () => {
    const headers = await tenantWith({ connections: 5 });
    const asked = Array.from({ length: 30 }, (_, i) =>
      NativeClient.connect(edges.urls[i % 2] ?? "", {}, { headers }),
    );
    const settled = await Promise.allSettled(asked);
    const open = settled.filter((it) => it.status === "fulfilled").map(({ value }) => value);
    onTestFinished(() => Promise.all(open.map((it) => it.close())).then(() => undefined));
    expect(open).toHaveLength(5);
    for (const it of settled) {
      if (it.status === "rejected")
        expect(String(it.reason)).toMatch(/429 capacity\.tenant_limit .*connections/);
    }
    await open.pop()?.close();
    await expect.poll(() => connect(headers).then(() => "open", String)).toBe("open");
  });

  test("on connections leave other tenants alone, and a tenant without limits (the twin)", async () => {
    const [bounded, free] = [await tenantWith({ connections: 1 }), await tenantWith({})];
    await connect(bounded);
    await expect(connect(bounded)).rejects.toThrow("429");
    const many = await Promise.all(Array.from({ length: 10 }, () => connect(free)));
    expect(many).toHaveLength(10);
  });

  test("on connections let a client come back to its session, and count one that waits for that", async () => {
    const headers = await tenantWith({ connections: 1 });
    const first = await connect(headers, { session_id: "call" });
    const { resume_token } = first.connected;
    await first.terminate();
    await expect.poll(() => connect(headers).then(() => "open", String)).toMatch(/429/);
    const address = `${edges.other.url.replace("http", "ws")}/api/v1/stream?session_id=call&resume=true`;
    const back = new WebSocket(address, { headers });
    onTestFinished(() => back.terminate());
    back.on("open", () => back.send(JSON.stringify({ type: "resume", resume_token })));
    const told = await new Promise((resolve) => back.once("message", (data) => resolve(String(data))));
    expect(JSON.parse(String(told))).toMatchObject({ type: "connected", resumed: true });
  });

  test("on utterances count all sessions of all edges, and let go of what has ended", async () => {
    const headers = await tenantWith({ utterances: 2 });
    const [one, other] = [await connect(headers), await connect(headers, {}, edges.other.url)];
    one.send({ type: "text", text: "A text that is not complete, " });
    other.send({ type: "text", text: "and another, " });
    await Promise.all([one.next("utterance_started"), other.next("utterance_started")]);
    await expect
      .poll(() => post(headers, { text: "A third." }))
      .toMatchObject({
        status: 429,
        code: "capacity.tenant_limit",
        message: expect.stringContaining("utterances (2)"),
      });
    one.send({ type: "stream_end" });
    await one.utterance(1);
    await expect.poll(async () => (await post(headers, { text: "A third." })).status).toBe(200);
  });

  test("on characters count white space, over both edges, and say when to try again", async () => {
    const headers = await tenantWith({ charactersPerMinute: 60 });
    const text = `Ten and ten.${" ".repeat(18)}`;
    expect((await post(headers, { text })).status).toBe(200);
    expect((await post(headers, { text }, edges.other.url)).status).toBe(200);
    const refused = await post(headers, { text });
    expect(refused).toMatchObject({ status: 429, code: "capacity.tenant_limit" });
    expect(refused.message).toContain("characters-per-minute (60)");
    expect(refused.retryAfter).toBeGreaterThan(20);
    expect(refused.retryAfter).toBeLessThanOrEqual(30);
  });

  test("on characters are exact where 40 requests come at once", async () => {
    const headers = await tenantWith({ charactersPerMinute: 100 });
    const asked = Array.from({ length: 40 }, (_, i) =>
      post(headers, { text: `Number ${10 + i}.` }, edges.urls[i % 2]),
    );
    const granted = (await Promise.all(asked)).filter(({ status }) => status === 200);
    expect(granted).toHaveLength(10);
  });

  test("on characters end an utterance whose later text is too much", async () => {
    const client = await connect(await tenantWith({ charactersPerMinute: 40 }));
    client.send({ type: "text", text: "A short beginning. " });
    await client.next("utterance_started");
    client.send({ type: "text", text: "And then a much longer rest of it." });
    const { end } = await client.utterance(1);
    expect(end).toMatchObject({ type: "error", code: "capacity.tenant_limit", retryable: true });
  });

  test("that a request exceeds by itself say so, and that trying again is of no use", async () => {
    const headers = await tenantWith({ charactersPerMinute: 10 });
    const refused = await post(headers, { text: "More than ten characters." });
    expect(refused).toMatchObject({ status: 429, retryAfter: 0 });
    expect(refused.message).toContain("ask for less at once");
  });

  test("on the length of a text are told with the length", async () => {
    const headers = await tenantWith({ textCharacters: 20 });
    expect(await post(headers, { text: "Twenty-one characters" })).toMatchObject({
      status: 413,
      code: "capacity.text_too_long",
      message: expect.stringContaining("at most 20"),
    });
    expect((await post(headers, { text: "Twenty characters ok" })).status).toBe(200);
  });

  test("on voices count different ones", async () => {
    const headers = await tenantWith({ voicesPerMinute: 2 });
    const speak = (voice: string) => post(headers, { text: "Hello.", voice });
    for (const voice of ["one", "two", "one", "two"]) expect((await speak(voice)).status, voice).toBe(200);
    const refused = await speak("three");
    expect(refused).toMatchObject({ status: 429, message: expect.stringContaining("voices-per-minute (2)") });
    expect(refused.retryAfter).toBeGreaterThan(50);
  });

  test("on prewarms are told in the session", async () => {
    const client = await connect(await tenantWith({ prewarmsPerMinute: 1 }));
    client.send({ type: "prewarm" });
    client.send({ type: "prewarm" });
    const { code, message } = await client.next("error");
    expect(code).toBe("capacity.tenant_limit");
    expect(message).toContain("prewarms-per-minute (1)");
  });

  test("are told by name, and counted", async () => {
    const headers = await tenantWith({ charactersPerMinute: 5 });
    await post(headers, { text: "Too much." });
    const metrics = await (await fetch(`${edges.edge.opsUrl}/metrics`)).text();
    expect(metrics).toMatch(/tts_edge_tenant_limit_refused_total\{limit="charactersPerMinute"\} [1-9]/);
  });
});
