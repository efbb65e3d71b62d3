import { renderSpeech } from "@tts-labs/simulator/render";
import { expect, inject, it, onTestFinished } from "vitest";
import { type Fleet, startFleet } from "../../../scripts/supervisor/fleet.ts";
import { keysWithoutTtl } from "../../harness/keys-without-ttl.ts";
import { metric } from "../../harness/metrics.ts";
import { NativeClient } from "../../harness/native-client.ts";

const VOICE = "simGermanAnna000000A";
const TEXT = "Der nächste Zug nach München fährt heute von Gleis sieben.";
const STREAMS = 100;
const ROUNDS = 3;
/**
 * V8 and the C library keep what they once needed: both programs' memory climbs for the first rounds of load,
 * then stays (measured over nine rounds: edge 153, 199, 206, 216, 239, 265, 265, 265, 265 MB). A leak goes on.
 */
const WARM_UP_ROUNDS = 5;

it(`${STREAMS} streams at once are complete byte for byte, ${ROUNDS} times over, and leave nothing behind`, async () => {
  const redisUrl = inject("redisUrl");
  const keyPrefix = "hundred";
  // The same sentence a hundred times: with the cache on it would be spoken once.
  const common = { REDIS_KEY_PREFIX: keyPrefix, TTS_VOICE: VOICE, ENDED_STREAM_TTL_MS: "1000", CACHE: "false" };
  const fleet = await startFleet({ redisUrl, env: { edge: common, worker: common } });
  onTestFinished(() => fleet.close());
  const { pcm } = await renderSpeech({ text: TEXT, voice: VOICE, sampleRateHz: 24_000 });
  expect(pcm.byteLength / 48_000).toBeCloseTo(4, 0);

  for (let round = 0; round < WARM_UP_ROUNDS; round++) await speakAtOnce(fleet, pcm);
  const before = await residentBytes(fleet);
  for (let round = 0; round < ROUNDS; round++) {
    await speakAtOnce(fleet, pcm);
    await expect.poll(() => live(fleet), { timeout: 10_000 }).toEqual({ sessions: 0, utterances: 0 });
  }
  const after = await residentBytes(fleet);
  expect(after.edge).toBeLessThan(before.edge * 1.1);
  expect(after.worker).toBeLessThan(before.worker * 1.1);

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
  const answer = await fetch(`${fleet.edges[0]?.url}/api/v1/live`);
  const view = (await answer.json()) as Record<"sessions" | "utterances", { total: number }>;
  return { sessions: view.sessions.total, utterances: view.utterances.total };
}

async function residentBytes(fleet: Fleet): Promise<{ edge: number; worker: number }> {
  const of = (url: string | undefined) => metric(url ?? "", "process_resident_memory_bytes");
  return { edge: await of(fleet.edges[0]?.url), worker: await of(fleet.workers[0]?.url) };
}
