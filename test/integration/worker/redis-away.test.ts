import { randomBytes } from "node:crypto";
import { silentLogger } from "@tts-labs/core/logger";
import { defaultSimulatorConfig } from "@tts-labs/simulator/config";
import { startSimulator } from "@tts-labs/simulator/main";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { defaultWorkerConfig } from "@tts-labs/worker/config";
import { startWorker } from "@tts-labs/worker/main";
import { expect, inject, onTestFinished, test, vi } from "vitest";
import { HandEdge, SPEECH } from "../../../testkit/fleet/hand-edge.ts";
import { ChaosProxy } from "../../../testkit/redis/chaos-proxy.ts";

test("a worker whose Redis is away lives on unready, finishes what it speaks when it is back, and takes jobs again", async () => {
  const redisUrl = inject("redisUrl");
  const keyPrefix = `away-${randomBytes(4).toString("hex")}`;
  const proxy = await new ChaosProxy().open(Number(new URL(redisUrl).port));
  onTestFinished(() => proxy.close());
  const simulator = await startSimulator(defaultSimulatorConfig({ port: 0, timeScale: 0.1 }), silentLogger);
  onTestFinished(() => simulator.close());
  const worker = await startWorker(
    defaultWorkerConfig({
      redisUrl: `redis://127.0.0.1:${proxy.port}`,
      keyPrefix,
      opsPort: 0,
      drainMs: 1_000,
      elevenLabsUrl: simulator.url,
      apiKey: "sk_simulator",
    }),
    silentLogger,
  );
  onTestFinished(() => worker.close());
  const edge = await HandEdge.open(redisUrl, keyPrefix);
  onTestFinished(() => edge.close());
  const status = async (path: string) => (await fetch(`${worker.opsUrl}${path}`)).status;

  const text = "This was begun before, and it is finished after.";
  const utterance = await edge.utterance([{ kind: "text", text }]);
  await vi.waitFor(() => expect(simulator.report().texts).toBeGreaterThan(0), { timeout: 5_000 });
  proxy.swallow = "answers";
  await vi.waitFor(async () => expect(await status("/readyz")).toBe(503), { timeout: 5_000 });
  expect(await status("/healthz")).toBe(200);
  proxy.swallow = "nothing";
  proxy.cut();
  await vi.waitFor(async () => expect(await status("/readyz")).toBe(200), { timeout: 10_000 });
  await utterance.send({ kind: "end" });
  const { result, pcm } = await utterance.listen();
  // Away for longer than the lease lasts, another run may have taken the utterance over: nothing had been heard.
  expect(result.outcome).toEqual({ kind: "completed" });
  expect(pcm.equals((await renderSpeech({ ...SPEECH, text })).pcm)).toBe(true);
  expect((await edge.speak("And the next one.")).result.outcome).toEqual({ kind: "completed" });
});
