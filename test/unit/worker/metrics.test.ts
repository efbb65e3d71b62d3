import { readFile } from "node:fs/promises";
import { openMetrics } from "@tts-labs/worker/metrics";
import { expect, test } from "vitest";

const nameOf = (text: string): string[] =>
  [...text.matchAll(/^# TYPE (tts_\w+) /gm)].map(([, name = ""]) => name);

test("docs/worker.md names the worker's metrics, all of them and no other", async () => {
  const page = await readFile(new URL("../../../docs/worker.md", import.meta.url), "utf8");
  const documented = new Set([...page.matchAll(/`(tts_worker_\w+)`/g)].map(([, name = ""]) => name));
  const told = nameOf(await openMetrics().text());
  expect(told.length).toBeGreaterThan(15);
  expect([...documented].sort()).toEqual(told.sort());
});

test("an utterance shows from its beginning to its end", async () => {
  const { run, text } = openMetrics();
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
  const [one, other] = [openMetrics(), openMetrics()];
  one.run.began();
  expect(await other.text()).toMatch(/^tts_worker_utterances_active 0$/m);
});
