import { randomBytes } from "node:crypto";
import { silentLogger } from "@tts-labs/core/logger";
import { defaultEdgeConfig } from "@tts-labs/edge/config";
import type { Edge } from "@tts-labs/edge/edge";
import { startEdge } from "@tts-labs/edge/main";
import { defaultWorkerConfig } from "@tts-labs/worker/config";
import { type RunningWorker, startWorker } from "@tts-labs/worker/main";
import { afterEach, beforeEach, expect, inject, it, vi } from "vitest";
import {
  audioMessage,
  FINAL_MESSAGE,
  type ScriptedProvider,
  startScriptedProvider,
} from "../../../testkit/provider/scripted-provider.ts";

/** An account's own voices, a real key, and nothing configured: an edge and a worker against a scripted provider. */
let provider: ScriptedProvider;
let worker: RunningWorker;
let edge: Edge;
let listed: unknown;

beforeEach(async () => {
  listed = {
    voices: [
      { voice_id: "myFirstVoice", name: "Mine" },
      { voice_id: "another", name: "Another" },
    ],
  };
  provider = await startScriptedProvider(async (session) => {
    await session.ended();
    session.send(audioMessage(Buffer.alloc(4_800)));
    session.send(FINAL_MESSAGE);
  });
  provider.onRequest = ({ url = "" }) =>
    url.startsWith("/v2/voices") ? { status: 200, body: listed } : { status: 404, body: {} };
});
afterEach(async () => {
  await edge.close();
  await worker.close();
  await provider.close();
});

async function start(voice?: string): Promise<void> {
  const common = {
    redisUrl: inject("redisUrl"),
    keyPrefix: `first-${randomBytes(4).toString("hex")}`,
    voice,
  };
  edge = await startEdge(
    defaultEdgeConfig({ ...common, port: 0, cache: true, elevenLabsUrl: provider.url }),
    silentLogger,
  );
  worker = await startWorker(
    defaultWorkerConfig({
      ...common,
      opsPort: 0,
      elevenLabsUrl: provider.url,
      apiKey: "sk_real",
      poolWarm: 0,
    }),
    silentLogger,
  );
}

const synthesize = (text: string) =>
  fetch(`${edge.url}/api/v1/synthesize`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text }),
  });
const voicesAsked = () => provider.sessions.map(({ url }) => /text-to-speech\/([^/]+)/.exec(url)?.[1]);
const defaultVoice = async () => {
  const { defaults } = (await (await fetch(`${edge.opsUrl}/api/v1/info`)).json()) as {
    defaults: { voice: string };
  };
  return defaults.voice;
};

it("speaks with the account's first voice, from the first request on, and the edge says which", async () => {
  await start();
  expect((await synthesize("At once.")).status).toBe(200);
  await vi.waitFor(async () => expect(await defaultVoice()).toBe("myFirstVoice"));
  expect((await synthesize("Later.")).status).toBe(200);
  expect(voicesAsked()).toEqual(["myFirstVoice", "myFirstVoice"]);
});

it("speaks with the configured voice where there is one", async () => {
  await start("another");
  expect((await synthesize("Hello.")).status).toBe(200);
  expect(voicesAsked()).toEqual(["another"]);
});

it("asks the provider all the same where the account lists no voices", async () => {
  listed = { voices: [] };
  await start();
  expect((await synthesize("Hello.")).status).toBe(200);
  expect(voicesAsked()).toEqual(["default"]);
});
