import { join } from "node:path";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { Redis } from "ioredis";
import { expect, inject, it, onTestFinished } from "vitest";
import { differentText } from "../../../bench/load/different-texts.ts";
import { startPrivateRedis } from "../../../scripts/private-redis.ts";
import { type Fleet, startFleet } from "../../../scripts/supervisor/fleet.ts";
import type { FleetMember } from "../../../scripts/supervisor/fleet-member.ts";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { metric } from "../../../testkit/ground/metrics.ts";
import { keysWithoutTtl } from "../../../testkit/redis/keys-without-ttl.ts";

const VOICE = "simGermanAnna000000A";
const TEXT = "Der nächste Zug nach München fährt heute von Gleis sieben.";
const STREAMS = 100;
const ROUNDS = 3;
const COLLECTING_ON_SIGNAL = `--expose-gc --import=${join(import.meta.dirname, "../../../testkit/ground/collect-on-signal.mjs")}`;
/** The C library keeps what it once needed: resident memory is judged once both programs have seen the load. */
const WARM_UP_ROUNDS = 6;

it(`${STREAMS} streams at once are complete byte for byte, ${ROUNDS} times over, and leave nothing behind`, async () => {
  const redisUrl = inject("redisUrl");
  const keyPrefix = "hundred";
  // The same sentence a hundred times: with the cache on it would be spoken once.
  const common = {
    REDIS_KEY_PREFIX: keyPrefix,
    TTS_VOICE: VOICE,
    CACHE: "false",
    NODE_OPTIONS: COLLECTING_ON_SIGNAL,
  };
  const fleet = await startFleet({ redisUrl, env: { edge: common, worker: common } });
  onTestFinished(() => fleet.close());
  const { pcm } = await renderSpeech({ text: TEXT, voice: VOICE, sampleRateHz: 24_000 });
  expect(pcm.byteLength / 48_000).toBeCloseTo(4, 0);

  const start = await memory(fleet);
  for (let round = 0; round < WARM_UP_ROUNDS; round++) await speakAtOnce(fleet, pcm);
  const warm = await memory(fleet);
  for (let round = 0; round < ROUNDS; round++) {
    await speakAtOnce(fleet, pcm);
    await expect.poll(() => live(fleet), { timeout: 10_000 }).toEqual({ sessions: 0, utterances: 0 });
  }
  const end = await memory(fleet);
  for (const program of ["edge", "worker"] as const) {
    expect(end[program].usedBytes).toBeLessThan(start[program].usedBytes * 1.1);
    // What a stream leaves behind would show here: code is compiled by then.
    expect(end[program].usedBytes).toBeLessThan(warm[program].usedBytes * 1.05);
    expect(end[program].residentBytes).toBeLessThan(warm[program].residentBytes * 1.1);
  }

  const report = (await fetch(`${fleet.simulator.url}/admin/report`).then((it) => it.json())) as {
    openings: number;
    connections: { opened: number };
    violationCount: number;
    ends: number;
  };
  expect(report.ends).toBe(STREAMS * (WARM_UP_ROUNDS + ROUNDS));
  expect(report.openings).toBe(report.connections.opened);
  expect(report.violationCount).toBe(0);
  expect(await keysWithoutTtl(redisUrl, keyPrefix)).toEqual([]);
});

/** Full within the first round: each text makes some 380 KB. */
const CACHE_MAX_BYTES = 4 * 1024 * 1024;

it("streams of different texts with the cache on, round after round: neither edge, worker nor Redis grows, and no audio of a closed session is left after a second", async () => {
  const own = await startPrivateRedis();
  onTestFinished(() => own.stop());
  const redis = new Redis(own.url);
  onTestFinished(() => redis.disconnect());
  const common = { REDIS_KEY_PREFIX: "different", TTS_VOICE: VOICE, NODE_OPTIONS: COLLECTING_ON_SIGNAL };
  const cached = { CACHE: "true", CACHE_MAX_BYTES: String(CACHE_MAX_BYTES) };
  const fleet = await startFleet({
    redisUrl: own.url,
    env: { edge: { ...common, ...cached }, worker: common },
  });
  onTestFinished(() => fleet.close());
  const usedByRedis = async () => Number(/^used_memory:(\d+)/m.exec(await redis.info("memory"))?.[1]);
  const speakRounds = async (from: number, to: number) => {
    for (let round = from; round < to; round++) {
      const texts = Array.from({ length: STREAMS }, (_, index) => differentText(round * STREAMS + index));
      await completeAtOnce(fleet, texts);
      await expect.poll(() => redis.keys("different:stream:*"), { timeout: 1_000, interval: 50 }).toEqual([]);
    }
  };
  await speakRounds(0, ROUNDS);
  const warm = { ...(await memory(fleet)), redis: await usedByRedis() };
  await speakRounds(ROUNDS, 2 * ROUNDS);
  const end = { ...(await memory(fleet)), redis: await usedByRedis() };
  for (const program of ["edge", "worker"] as const) {
    expect(end[program].usedBytes).toBeLessThan(warm[program].usedBytes * 1.05);
  }
  expect(end.redis).toBeLessThan(warm.redis * 1.05);
  expect(end.redis).toBeLessThan(2 * CACHE_MAX_BYTES + 8 * 1024 * 1024);
});

async function completeAtOnce(fleet: Fleet, texts: readonly string[]): Promise<void> {
  const url = fleet.edges[0]?.url ?? "";
  const clients = await Promise.all(texts.map(() => NativeClient.connect(url, {}, { limitMs: 60_000 })));
  const ends = await Promise.all(clients.map(async (client, i) => (await client.speak(texts[i] ?? "")).end));
  expect(ends.map((end) => (end.type === "error" ? end.code : end.type))).toEqual(
    texts.map(() => "stream_complete"),
  );
  await Promise.all(clients.map((client) => client.close()));
}

async function speakAtOnce(fleet: Fleet, expected: Buffer): Promise<void> {
  const url = fleet.edges[0]?.url ?? "";
  const clients = await Promise.all(
    Array.from({ length: STREAMS }, () => NativeClient.connect(url, {}, { limitMs: 30_000 })),
  );
  const spoken = await Promise.all(clients.map((client) => client.speak(TEXT)));
  expect(spoken.map(({ end }) => (end.type === "error" ? end.code : end.type))).toEqual(
    new Array(STREAMS).fill("stream_complete"),
  );
  expect(spoken.filter((it) => it.pcm.equals(expected)).length).toBe(STREAMS);
  await Promise.all(clients.map((client) => client.close()));
}

async function live(fleet: Fleet): Promise<{ sessions: number; utterances: number }> {
  const answer = await fetch(`${fleet.edges[0]?.opsUrl}/api/v1/live`);
  const view = (await answer.json()) as Record<"sessions" | "utterances", { total: number }>;
  return { sessions: view.sessions.total, utterances: view.utterances.total };
}

interface Memory {
  /** JavaScript objects and buffers that are still in use. */
  readonly usedBytes: number;
  readonly residentBytes: number;
}

/** Of the edge and the worker, once each has collected its garbage. */
async function memory(fleet: Fleet): Promise<Record<"edge" | "worker", Memory>> {
  const of = async (member: FleetMember | undefined): Promise<Memory> => {
    if (member === undefined) throw new RangeError("the fleet has one of each");
    // It is not shown before the first.
    const collections = () => metric(member.opsUrl, "nodejs_gc_duration_seconds_count").catch(() => 0);
    const collect = async (signal: "SIGUSR2" | "SIGPWR") => {
      const before = await collections();
      process.kill(member.part.pid, signal);
      await expect.poll(collections, { timeout: 5_000 }).toBeGreaterThan(before);
    };
    await collect("SIGUSR2");
    const used = await metric(member.opsUrl, "nodejs_heap_size_used_bytes");
    const external = await metric(member.opsUrl, "nodejs_external_memory_bytes");
    await collect("SIGPWR");
    const residentBytes = await metric(member.opsUrl, "process_resident_memory_bytes");
    return { usedBytes: used + external, residentBytes };
  };
  return { edge: await of(fleet.edges[0]), worker: await of(fleet.workers[0]) };
}
