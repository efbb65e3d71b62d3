import { readFileSync } from "node:fs";
import { silentLogger } from "@tts-labs/core/logger";
import { defaultSimulatorConfig } from "@tts-labs/simulator/config";
import { type Simulator, startSimulator } from "@tts-labs/simulator/main";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GRACE, ProviderClient, socketUrl } from "./provider-client.ts";

/**
 * The simulator is driven with what real clients sent, and must answer as the real service did: messages of
 * the same shape (keys in the same order), in the same order, with the same close, at times within the model.
 */
interface Frame {
  readonly t: number;
  readonly client?: Record<string, unknown>;
  readonly server?: Record<string, unknown>;
  readonly close?: readonly [number, string];
}

interface Session {
  readonly name: string;
  readonly query: string;
  readonly status: number;
  readonly upgradeBody?: object;
  readonly frames: readonly Frame[];
}

const recorded = JSON.parse(
  readFileSync(new URL("../../fixtures/recorded-sessions.json", import.meta.url), "utf8"),
) as {
  sessions: Session[];
};

const session = (name: string): Session => {
  const found = recorded.sessions.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no recorded session ${name}`);
  return found;
};

/** Its tokens, as the recording's note gives them. */
const TOKENS = [" ", "Hel", "lo", " world", "."].map((text) => ({ t: 0, client: { text } }));
const END = [
  { t: 0, client: { text: "", flush: true } },
  { t: 0, client: { text: "" } },
];

async function play(client: ProviderClient, frames: readonly Frame[]): Promise<void> {
  await client.opened;
  const sent = frames.filter(({ client }) => client !== undefined);
  const firstMs = sent[0]?.t ?? 0;
  const beganMs = performance.now();
  for (const { t, client: message } of sent) {
    const waitMs = t - firstMs - (performance.now() - beganMs);
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    client.send(message ?? {});
  }
}

/** What a message looks like: its keys in order, and the kind of each value. */
function shapeOf(message: Record<string, unknown>): [string, string][] {
  return Object.entries(message).map(([key, value]) => {
    if (key === "audioBytes" || (key === "audio" && typeof value === "string")) return ["audio", "bytes"];
    if (key === "alignment" || key === "normalizedAlignment") {
      return [key, value === null ? "null" : Object.keys(value as object).join()];
    }
    return [key, key === "isFinal" || key === "code" ? String(value) : typeof value];
  });
}

describe("driven with recorded sessions, the simulator", () => {
  let simulator: Simulator;
  beforeAll(async () => {
    simulator = await startSimulator(defaultSimulatorConfig({ port: 0 }), silentLogger);
  });
  afterAll(() => simulator.close());

  it.each(["ws_end", "ws_tokens"])("speaks, ends and closes like %s", async (name) => {
    const { query, frames } = session(name);
    const client = new ProviderClient(socketUrl(simulator.url, GRACE, query));
    await client.opened;
    const openedMs = client.nowMs;
    const own = frames.filter(({ client }) => client !== undefined);
    await play(client, own.length > 0 ? own : [...TOKENS, ...END]);
    const triggeredMs = client.nowMs;
    const closed = await client.closed;

    const answers = frames.flatMap(({ server }) => (server === undefined ? [] : [server]));
    // The recording of ws_tokens left the plain alignment out; it has the shape of the normalised one.
    const expected = answers.map((answer) =>
      "alignment" in answer ? answer : { alignment: answer["normalizedAlignment"], ...answer },
    );
    expect(client.seen.map(({ json }) => shapeOf(json ?? {}))).toEqual(expected.map(shapeOf));
    expect([closed.code, closed.reason]).toEqual([1000, ""]);

    const [first] = client.seen;
    const last = client.seen.at(-1);
    expect(openedMs).toBeGreaterThan(165);
    expect(openedMs).toBeLessThan(300);
    expect((first?.atMs ?? 0) - triggeredMs).toBeGreaterThan(210);
    expect((first?.atMs ?? 0) - triggeredMs).toBeLessThan(360);
    expect((last?.atMs ?? 0) - (first?.atMs ?? 0)).toBeLessThan(50);
    expect(closed.atMs - (last?.atMs ?? 0)).toBeGreaterThan(780);
    expect(closed.atMs - (last?.atMs ?? 0)).toBeLessThan(900);
  });

  it("tells the characters of ws_end as they were told", async () => {
    const { query, frames } = session("ws_end");
    const client = new ProviderClient(socketUrl(simulator.url, GRACE, query));
    await play(client, frames);
    await client.closed;
    const theirs = frames.find(({ server }) => server?.["alignment"])?.server ?? {};
    const ours = client.seen[0]?.json ?? {};
    const chars = (message: object, key: string) =>
      (message as Record<string, { chars: string[] } | undefined>)[key]?.chars;
    expect(chars(ours, "alignment")).toEqual(chars(theirs, "alignment"));
    expect(chars(ours, "normalizedAlignment")).toEqual(chars(theirs, "normalizedAlignment"));
    const { charDurationsMs } = ours["alignment"] as { charDurationsMs: number[] };
    const alignedMs = charDurationsMs.reduce((sum, ms) => sum + ms, 0);
    expect(Math.abs(alignedMs - client.audio.length / 48)).toBeLessThanOrEqual(0.5);
    expect(client.audioMessages.length).toBe(2);
    expect(charDurationsMs[3]).toBe(0);
  });

  it.each([
    ["ws_bad_key", GRACE, "nobody-has-this-key", 0, 60],
    ["ws_bad_voice", "notARealVoiceId000000", "sk_simulator", 40, 120],
  ] as const)("refuses after the upgrade like %s", async (name, voice, key, leastMs, mostMs) => {
    const { query, frames } = session(name);
    const client = new ProviderClient(socketUrl(simulator.url, voice, query), { "xi-api-key": key });
    await client.opened;
    const openedMs = client.nowMs;
    await play(client, frames);
    const closed = await client.closed;
    expect(client.seen.map(({ text }) => text)).toEqual(
      frames.flatMap(({ server }) => (server === undefined ? [] : [JSON.stringify(server)])),
    );
    expect([closed.code, closed.reason]).toEqual(frames.at(-1)?.close);
    const erredMs = client.seen[0]?.atMs ?? 0;
    expect(erredMs - openedMs).toBeGreaterThanOrEqual(leastMs - 5);
    expect(erredMs - openedMs).toBeLessThan(mostMs);
    expect(closed.atMs - erredMs).toBeGreaterThan(780);
    expect(closed.atMs - erredMs).toBeLessThan(900);
  });

  it("refuses the upgrade like ws_v3", async () => {
    const { query, status, upgradeBody } = session("ws_v3");
    const response = await fetchUpgrade(socketUrl(simulator.url, GRACE, query));
    expect(response.status).toBe(status);
    const detail = (response.body as { detail: object }).detail;
    const theirs = (upgradeBody as { detail: object }).detail;
    expect(detail).toEqual({ ...theirs, request_id: expect.stringMatching(/^[0-9a-f]+$/) });
  });

  it.each(["eleven_v4", "eleven_v4_turbo", "eleven_v3_conversational", "eleven_v4_of_tomorrow"])(
    "refuses the upgrade for %s, too",
    async (model) => {
      const response = await fetchUpgrade(socketUrl(simulator.url, GRACE, `model_id=${model}`));
      expect(response.status).toBe(400);
      expect(response.body).toMatchObject({ detail: { code: "unsupported_model", param: "model_id" } });
    },
  );

  it("has seen clients that behaved", () => {
    const { violations, connections, generating } = simulator.report();
    expect(violations).toEqual({});
    expect(connections.open).toBe(0);
    expect(generating.now).toBe(0);
  });
});

async function fetchUpgrade(url: string): Promise<{ status: number; body: unknown }> {
  const { request } = await import("node:http");
  return await new Promise((resolve, reject) => {
    const asked = request(url, {
      headers: {
        "xi-api-key": "sk_simulator",
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      },
    });
    asked.on("error", reject);
    asked.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          body: JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown,
        }),
      );
    });
    asked.end();
  });
}
