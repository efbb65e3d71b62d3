import { openMetrics } from "@tts-labs/worker/metrics";
import { expect, test } from "vitest";

const BUILD = { program: "worker", version: "1.2.3", commit: "unknown" };

test("an utterance shows from its beginning to its end", async () => {
  const { run, text } = openMetrics(BUILD);
  run.began();
  expect(await text()).toMatch(/^tts_worker_utterances_active 1$/m);
  run.firstAudio({ queue: 2, slot: 0, connect: 1, provider: 240 });
  run.appended(480);
  run.retried("provider.truncated");
  run.ended("provider.gap_timeout");
  const after = await text();
  expect(after).toMatch(/^tts_worker_utterances_active 0$/m);
  expect(after).toMatch(/^tts_worker_utterances_total\{outcome="provider.gap_timeout"\} 1$/m);
  expect(after).toMatch(/^tts_worker_first_audio_seconds_sum\{part="provider"\} 0.24$/m);
  expect(after).toMatch(/^tts_worker_audio_bytes_total 960$/m);
  expect(after).toMatch(/^tts_worker_retries_total\{code="provider.truncated"\} 1$/m);
});

test("two workers in one process count apart", async () => {
  const [one, other] = [openMetrics(BUILD), openMetrics(BUILD)];
  one.run.began();
  expect(await other.text()).toMatch(/^tts_worker_utterances_active 0$/m);
});
