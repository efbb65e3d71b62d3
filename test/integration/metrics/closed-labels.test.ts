import type { MetricTable } from "@tts-labs/core/process/metrics";
import { edgeMetrics } from "@tts-labs/edge/metrics";
import { workerMetrics } from "@tts-labs/worker/metrics";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";

interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What an exposition shows, without what Node and prom-client show of themselves. */
function seriesOf(text: string): readonly Series[] {
  const lines = text.split("\n").filter((line) => line.startsWith("tts_"));
  return lines.map((line) => {
    const [, name = "", inner = "", value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    const labels = [...inner.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = "", of = ""]) => [
      key,
      of,
    ]);
    return { name, labels: Object.fromEntries(labels), value: Number(value) };
  });
}

/** What of a series no table declares. */
function undeclared(table: MetricTable, { name, labels }: Series): string[] {
  if (name === "tts_build_info") return [];
  const bare = name.replace(/_(?:bucket|sum|count)$/, "");
  const metric = Object.values(table).find((it) => it.name === name || it.name === bare);
  if (metric === undefined) return [`${name} is in no table`];
  const declared: Readonly<Record<string, readonly string[]>> = metric.labels;
  return Object.entries(labels)
    .filter(([label]) => !(label === "le" && metric.type === "histogram"))
    .filter(([label, value]) => !declared[label]?.includes(value))
    .map(([label, value]) => `${name} has ${label}="${value}"`);
}

const exposition = async (url: string): Promise<string> => (await fetch(`${url}/metrics`)).text();

describe("the metrics of a busy fleet", () => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem({
      redisUrl: inject("redisUrl"),
      workers: 2,
      edge: { cache: true },
      worker: { apiKeys: "sk_refused,sk_simulator_two" },
      simulator: { timeScale: 0.1, apiKeys: "sk_simulator,sk_simulator_two" },
    });
    await beBusy(system);
  }, 60_000);
  afterAll(() => system?.close());

  test("have no label value that is not declared", async () => {
    const programs = [
      { table: edgeMetrics, urls: system.edges.map((it) => it.opsUrl) },
      { table: workerMetrics, urls: system.workers.map((it) => it.opsUrl) },
    ];
    for (const { table, urls } of programs) {
      for (const url of urls) {
        const series = seriesOf(await exposition(url));
        expect(series.length).toBeGreaterThan(60);
        expect(series.flatMap((it) => undeclared(table, it))).toEqual([]);
      }
    }
  });

  test("would be found out by this test if they had one (its twin)", () => {
    const strange = { name: "tts_edge_errors_total", labels: { code: "a client's own words" }, value: 1 };
    expect(undeclared(edgeMetrics, strange)).toEqual([
      `tts_edge_errors_total has code="a client's own words"`,
    ]);
    expect(undeclared(edgeMetrics, { name: "tts_new", labels: {}, value: 1 })).toHaveLength(1);
  });

  test("tell first audio apart by where the speech came from, and each in its parts", async () => {
    const series = seriesOf(await exposition(system.opsUrl));
    const count = (source: string, part: string) =>
      series.find(
        ({ name, labels }) =>
          name === "tts_edge_first_audio_seconds_count" &&
          labels["source"] === source &&
          labels["part"] === part,
      )?.value ?? 0;
    expect(count("cached", "total")).toBe(1);
    expect(count("joined", "total")).toBeGreaterThanOrEqual(1);
    expect(count("synthesized", "total")).toBeGreaterThanOrEqual(3);
    for (const part of ["queue", "slot", "connect", "provider", "turn", "delivery"]) {
      expect(count("synthesized", part), part).toBe(count("synthesized", "total"));
      expect(count("cached", part), part).toBe(0);
    }
  });

  test("show how long utterances waited behind others of their session", async () => {
    const series = seriesOf(await exposition(system.opsUrl));
    const sum = series.find(({ name }) => name === "tts_edge_turn_wait_seconds_sum")?.value;
    expect(sum).toBeGreaterThan(0);
  });

  test("show each key by its place, with the refused one at 0", async () => {
    const usable = async () =>
      Object.fromEntries(
        seriesOf(await exposition(system.workers[0]?.opsUrl ?? ""))
          .filter(({ name }) => name === "tts_worker_provider_usable")
          .map(({ labels, value }) => [labels["key"], value]),
      );
    await vi.waitFor(async () =>
      expect(await usable()).toEqual({ "elevenlabs-1": 1, "elevenlabs-2": 0, "elevenlabs-3": 1 }),
    );
  });

  test("say of each program which it is, as /version does", async () => {
    const programs = {
      edge: system.opsUrl,
      worker: system.workers[0]?.opsUrl,
      simulator: system.simulator.url,
    };
    for (const [program, url = ""] of Object.entries(programs)) {
      const build = { program, version: expect.stringMatching(/^\d+\.\d+\.\d+$/), commit: "unknown" };
      expect(await (await fetch(`${url}/version`)).json()).toEqual(build);
      const shown = seriesOf(await exposition(url)).filter(({ name }) => name === "tts_build_info");
      expect(shown).toEqual([{ name: "tts_build_info", labels: build, value: 1 }]);
    }
  });
});

/** Everything that has a label: speech made, cached and joined, cancels, refusals, strange messages and requests. */
async function beBusy({ url }: System): Promise<void> {
  const [one, other] = [await NativeClient.connect(url), await NativeClient.connect(url)];
  const long = "The quick brown fox jumps over the lazy dog, again and again, until it is tired of it.";
  await Promise.all([one.speak(long), other.speak(long)]);
  // It is stored in the background once it has been heard.
  await vi.waitFor(async () => {
    await one.speak(long);
    expect(one.messages.findLast(({ type }) => type === "stream_complete")).toMatchObject({ cache: "hit" });
  });
  const spoken = one.messages.filter(({ type }) => type === "stream_complete").length;
  await one.speak("A sentence of its own.", { voice_settings: { speed: 1.1 } });
  for (const text of ["First.", "Second.", "Third."]) {
    one.send({ type: "text", text });
    one.send({ type: "stream_end" });
  }
  await one.next("stream_complete", ({ utterance }) => utterance === spoken + 4);
  await other.speak("This voice is none.", { voice: "nobody" });
  other.send({ type: "text", text: "It will not be heard to its end." });
  other.send({ type: "cancel" });
  await other.next("cancelled");
  for (const strange of ["{", '{"type":"dance"}', '{"type":"text","text":7}']) other.sendRaw(strange);
  await other.next("error", ({ code }) => code === "protocol.unknown_type");
  await fetch(`${url}/api/v1/synthesize`, { method: "POST", body: "{" });
  await fetch(`${url}/api/v1/${"x".repeat(40)}`);
  await Promise.all([one.close(), other.close()]);
}
