import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";
import { partAt, readDocument } from "../../unit/docs/document.ts";
import { undocumented } from "../../unit/docs/undocumented.ts";
import { DocumentedHttp } from "./documented-http.ts";
import { Eavesdropper } from "./eavesdropper.ts";

let system: System;
beforeAll(async () => {
  system = await startSystem({ redisUrl: inject("redisUrl") });
});
afterAll(() => system?.close());

test("every message of a running edge is as docs/asyncapi.yaml describes it", async () => {
  const messages = partAt(await readDocument("docs/asyncapi.yaml"), "components", "messages");
  const client = await Eavesdropper.connect(
    `${system.url}/api/v1/stream?session_id=documents&frame_samples=480`,
  );
  client.send({ type: "ping", t: 7 });
  client.send({ type: "text", text: "Good morning. How are you today?" });
  client.send({ type: "stream_end" });
  await client.heard("stream_complete");
  client.send({ type: "text", text: "This will not be spoken to its end." });
  await client.heard("utterance_started", 2);
  client.send({ type: "cancel" });
  await client.heard("cancelled");
  client.send({ type: "text", text: "Nobody has this voice.", voice: "nobody" });
  client.send({ type: "stream_end" });
  await client.heard("error");
  client.send({ type: "dance" });
  await client.heard("error", 2);
  client.close();

  const byType = new Map(
    Object.values(messages).map((message) => [
      partAt({ message }, "message")["name"],
      partAt({ message }, "message"),
    ]),
  );
  const wrong = client.messages.flatMap((message) => {
    const described = byType.get(String(message["type"]));
    return described === undefined
      ? [`${message["type"]}: not in the document`]
      : undocumented(partAt(described, "payload"), message, String(message["type"]));
  });
  expect(wrong).toEqual([]);
  expect([...new Set(client.messages.map((message) => message["type"]))].sort()).toEqual([
    ...[
      "alignment",
      "cancelled",
      "connected",
      "error",
      "pong",
      "stream_complete",
      "utterance_started",
      "words",
    ],
  ]);
});

describe("every answer of a running edge is as docs/openapi.yaml describes it", () => {
  let http: DocumentedHttp;
  let ops: DocumentedHttp;
  beforeAll(async () => {
    const document = await readDocument("docs/openapi.yaml");
    http = new DocumentedHttp(system.url, document);
    ops = new DocumentedHttp(system.opsUrl, document);
  });
  const body = (value: unknown, headers: Record<string, string> = {}): RequestInit => ({
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof value === "string" ? value : JSON.stringify(value),
  });

  test("of every GET route", async () => {
    for (const path of ["/api/v1/voices", "/healthz", "/readyz"]) {
      expect(await http.ask(path), path).toMatchObject({ status: 200, undocumented: [] });
    }
    for (const path of ["/api/v1/info", "/api/v1/scaling", "/version", "/healthz", "/readyz", "/metrics"]) {
      expect(await ops.ask(path), path).toMatchObject({ status: 200, undocumented: [] });
    }
  });

  test("of the live view, while somebody speaks", async () => {
    const client = await Eavesdropper.connect(`${system.url}/api/v1/stream`);
    client.send({ type: "text", text: "I am speaking while you look." });
    await client.heard("utterance_started");
    await expect
      .poll(async () => (await ops.ask("/api/v1/live")).json)
      .toMatchObject({ sessions: { total: 1 }, utterances: { total: 1 } });
    expect(await ops.ask("/api/v1/live?limit=1")).toMatchObject({ status: 200, undocumented: [] });
    client.close();
    expect(await ops.ask("/api/v1/live?limit=0")).toMatchObject({ status: 400, undocumented: [] });
  });

  test("of a synthesis, in each of its forms", async () => {
    for (const accept of ["application/json", "audio/wav", "audio/pcm"]) {
      const answer = await http.ask("/api/v1/synthesize", body({ text: "Hello World" }, { accept }));
      expect(answer, accept).toMatchObject({ status: 200, contentType: accept, undocumented: [] });
      expect(answer.bytes).toBeGreaterThan(10_000);
    }
  });

  test("of a synthesis that can't be", async () => {
    const long = "la ".repeat(14_000);
    const cases: readonly (readonly [status: number, init: RequestInit])[] = [
      [400, body("{")],
      [400, body({ text: 7 })],
      [400, body({ text: "Hello", colour: "red" })],
      [405, { method: "GET" }],
      [406, body({ text: "Hello" }, { accept: "image/png" })],
      [413, body({ text: long.repeat(2) })],
      [415, body({ text: "Hello" }, { "content-type": "text/plain" })],
      [422, body({ text: "Hello", voice: "nobody" })],
    ];
    for (const [status, init] of cases) {
      expect(await http.ask("/api/v1/synthesize", init), String(status)).toMatchObject({
        status,
        undocumented: [],
        json: { error: { code: expect.any(String) } },
      });
    }
  });
});
