import { randomBytes } from "node:crypto";
import { silentLogger } from "@tts-labs/core/logger";
import { defaultWorkerConfig, type WorkerConfig } from "@tts-labs/worker/config";
import { type RunningWorker, startWorker } from "@tts-labs/worker/main";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { HandEdge } from "../../../testkit/fleet/hand-edge.ts";
import {
  audioMessage,
  FINAL_MESSAGE,
  type HttpAnswer,
  type ScriptedProvider,
  startScriptedProvider,
} from "../../../testkit/provider/scripted-provider.ts";

/** What a worker learns of its key from the provider: whether it is accepted, and how many it lets generate. */
let provider: ScriptedProvider;
let worker: RunningWorker;
let edge: HandEdge;
let subscription: HttpAnswer;
let generating = 0;
let most = 0;
let holdMs = 50;
const error = vi.fn();

beforeEach(async () => {
  generating = 0;
  most = 0;
  holdMs = 50;
  vi.clearAllMocks();
  subscription = { status: 200, body: { tier: "free" } };
  provider = await startScriptedProvider(async (session) => {
    await session.ended();
    generating += 1;
    most = Math.max(most, generating);
    session.send(audioMessage(Buffer.alloc(4_800)));
    // Long enough for all that may generate at once to be under way.
    await new Promise((resolve) => setTimeout(resolve, holdMs));
    generating -= 1;
    session.send(FINAL_MESSAGE);
  });
  provider.onRequest = ({ url }) =>
    url === "/v1/user/subscription" ? subscription : { status: 404, body: {} };
});
afterEach(async () => {
  await edge.close();
  await worker.close();
  await provider.close();
});

async function start(config: Partial<WorkerConfig> = {}): Promise<void> {
  const keyPrefix = `learnt-${randomBytes(4).toString("hex")}`;
  const redisUrl = inject("redisUrl");
  worker = await startWorker(
    defaultWorkerConfig({
      redisUrl,
      keyPrefix,
      opsPort: 0,
      elevenLabsUrl: provider.url,
      apiKey: "sk_of_the_test",
      overloadPauseMs: 1,
      poolWarm: 0,
      ...config,
    }),
    { ...silentLogger, error },
  );
  edge = await HandEdge.open(redisUrl, keyPrefix);
}

const metric = async (name: string) => {
  const text = await (await fetch(`${worker.opsUrl}/metrics`)).text();
  return new RegExp(`^${name}\\{[^}]*\\} (\\d+)$`, "m").exec(text)?.[1];
};
const speakMany = (count: number) =>
  Promise.all(Array.from({ length: count }, () => edge.speak("Good morning.")));

describe("the plan's limit", () => {
  it("is learnt from the provider where none is configured, and kept", async () => {
    await start();
    await vi.waitFor(async () => expect(await metric("tts_worker_provider_key_slots")).toBe("4"));
    const heard = await speakMany(16);
    expect(heard.map(({ result }) => result.outcome.kind)).toEqual(Array(16).fill("completed"));
    expect(most).toBeLessThanOrEqual(4);
  });

  it("is learnt from a 429 that names it", async () => {
    subscription = { status: 404, body: {} };
    let refusals = 1;
    provider.onUpgrade = () => {
      refusals -= 1;
      const message = "Your current subscription is limited to 2 concurrent requests.";
      return refusals < 0 ? undefined : { status: 429, body: JSON.stringify({ detail: { message } }) };
    };
    await start();
    await edge.speak("Good morning.");
    expect(await metric("tts_worker_provider_key_slots")).toBe("2");
    await speakMany(8);
    expect(most).toBeLessThanOrEqual(2);
  });

  it("is exceeded where any number is configured (negative twin)", async () => {
    await start({ providerSlots: 0 });
    holdMs = 2_000;
    await speakMany(16);
    expect(most).toBeGreaterThan(4);
  });
});

describe("a key that the provider does not accept", () => {
  it("is said in one sentence, without the key or a stack; the worker goes on", async () => {
    const detail = { code: "invalid_api_key", message: "API key sk_of_the_test is invalid." };
    subscription = { status: 401, body: { detail } };
    await start();
    await vi.waitFor(async () => expect(await metric("tts_worker_provider_usable")).toBe("0"));
    expect(error).toHaveBeenCalledTimes(1);
    expect(error.mock.calls[0]?.[1]).toMatch(/^The provider does not accept ELEVENLABS_API_KEY.*\.$/);
    expect(JSON.stringify(error.mock.calls)).not.toMatch(/sk_of_the_test|stack/);
    expect((await fetch(`${worker.opsUrl}/readyz`)).status).toBe(200);
    // It may be accepted again, as one that was only just made.
    await edge.speak("Good morning.");
    expect(await metric("tts_worker_provider_usable")).toBe("1");
  });

  it("is not one that may only not read its subscription", async () => {
    subscription = { status: 401, body: { detail: { code: "unauthorized", status: "missing_permissions" } } };
    await start();
    await vi.waitFor(async () => expect(await metric("tts_worker_provider_usable")).toBe("1"));
    expect(error).not.toHaveBeenCalled();
  });
});
