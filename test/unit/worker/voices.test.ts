import { silentLogger } from "@tts-labs/core/logger";
import type { Voice } from "@tts-labs/core/session/redis-voice-list";
import { GatewayError } from "@tts-labs/protocol/errors";
import { publishVoices } from "@tts-labs/worker/voices";
import { expect, test } from "vitest";

const GRACE: Voice = { id: "grace", name: "Grace", language: "en" };

/** Answers of the provider in order, and what was put and paused between them, in seconds. */
async function publishThrough(answers: readonly ("voices" | "failure")[]) {
  const puts: [readonly Voice[], number][] = [];
  const pauses: number[] = [];
  const told: (readonly Voice[] | GatewayError)[] = [];
  let asked = 0;
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const stop = publishVoices({
    list: async () => {
      if (answers[asked++] !== "voices") throw new GatewayError("provider.connect_failed");
      return [GRACE];
    },
    store: { put: async (voices, ttlMs) => void puts.push([voices, ttlMs / 1_000]) },
    everyMs: 5_000,
    told: (it) => told.push(it),
    logger: silentLogger,
    pause: async (ms, signal) => {
      pauses.push(ms / 1_000);
      if (asked < answers.length) return;
      finish();
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    },
  });
  await finished;
  await stop();
  return { puts, pauses, told };
}

test("voices are listed every round, and outlive two rounds that fail", async () => {
  const { puts, pauses } = await publishThrough(["voices", "voices"]);
  expect(pauses).toEqual([5, 5]);
  expect(puts).toEqual([
    [[GRACE], 15],
    [[GRACE], 15],
  ]);
});

test("a failure is tried again after 1, 2, 4 … s, never less often than a round; success begins anew", async () => {
  const failed = "failure" as const;
  const { puts, pauses, told } = await publishThrough([
    failed,
    failed,
    failed,
    failed,
    failed,
    "voices",
    failed,
    failed,
  ]);
  expect(pauses).toEqual([1, 2, 4, 5, 5, 5, 1, 2]);
  // The old list stays while a new one can't be had.
  expect(puts).toEqual([1, 2, 3].map(() => [[GRACE], 15]));
  expect(told.map((it) => (it instanceof GatewayError ? it.code : it))).toEqual([
    ...Array.from({ length: 5 }, () => "provider.connect_failed"),
    [GRACE],
    ...Array.from({ length: 2 }, () => "provider.connect_failed"),
  ]);
});
