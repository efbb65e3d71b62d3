import { readFileSync } from "node:fs";
import { expect, inject, it, onTestFinished, vi } from "vitest";
import { findHaproxy, startHaproxy } from "../../../scripts/chaos/fleet/haproxy.ts";
import { judge } from "../../../scripts/chaos/listener/judge.ts";
import { runLoad } from "../../../scripts/chaos/listener/load.ts";
import { type Outcome, type Tally, tally } from "../../../scripts/chaos/listener/tally.ts";
import { SPOKEN_SENTENCES } from "../../../scripts/chaos/listener/texts.ts";
import { Truths } from "../../../scripts/chaos/listener/truth.ts";
import { broken } from "../../../scripts/chaos/promises.ts";
import { freePort } from "../../../scripts/private-redis.ts";
import { startFleet } from "../../../scripts/supervisor/fleet.ts";
import { metric } from "../../../testkit/ground/metrics.ts";
import { Random } from "../../../testkit/ground/random.ts";

const HAPROXY = findHaproxy();
const CONFIG = readFileSync(new URL("../../../deploy/haproxy/haproxy.cfg", import.meta.url), "utf8");
const SESSIONS = 10;

/** Sessions that listen in real time through HAProxy while one of two edges is killed; what they have heard. */
async function killAnEdge(resume: boolean): Promise<Tally> {
  const fleet = await startFleet({
    redisUrl: inject("redisUrl"),
    edges: 2,
    env: {
      worker: { REDIS_KEY_PREFIX: `killed-${resume}` },
      edge: { REDIS_KEY_PREFIX: `killed-${resume}`, ALLOWED_HOSTS: "edge", TTS_NATURAL: "true" },
    },
  });
  onTestFinished(() => fleet.close());
  const [killed, other] = fleet.edges;
  if (killed === undefined || other === undefined) throw new RangeError("two edges were asked for");
  const servers = fleet.edges.map(({ url }, i) => `  server edge${i} ${new URL(url).host}`).join("\n");
  const operators = await freePort();
  const haproxy = await startHaproxy(HAPROXY ?? "", (clients) =>
    CONFIG.replace("bind :8006", `bind 127.0.0.1:${clients}`)
      .replace("bind :8404", `bind 127.0.0.1:${operators}`)
      .replace(/^ {2}server-template .*$/m, servers),
  );
  onTestFinished(() => haproxy.close());
  const url = `http://127.0.0.1:${haproxy.port}`;
  await vi.waitFor(async () => expect((await fetch(`${url}/healthz`)).status).toBe(200), 10_000);

  let isCalm = false;
  const speaking = runLoad({
    url,
    sessions: SESSIONS,
    delivery: "paced",
    resume,
    utterances: 0,
    random: new Random(1),
    text: (session, turn) => {
      const { text, voice } = new Random(session * 101 + turn).pick(SPOKEN_SENTENCES);
      return { text, voice, pieces: [text] };
    },
    before: async () => {},
    onEnded: () => {},
    isCalm: () => isCalm,
    signal: AbortSignal.timeout(60_000),
  });
  const counts = (name: string) => Promise.all(fleet.edges.map(({ opsUrl }) => metric(opsUrl, name)));
  await vi.waitFor(async () => {
    expect(await counts("tts_edge_connections")).toEqual([SESSIONS / 2, SESSIONS / 2]);
    expect(await counts("tts_edge_utterances")).toEqual([SESSIONS / 2, SESSIONS / 2]);
  }, 10_000);
  const killedAtMs = performance.now();
  await killed.kill();
  await vi.waitFor(async () => {
    expect(await metric(other.opsUrl, "tts_edge_connections")).toBe(SESSIONS);
  }, 10_000);
  isCalm = true;
  const load = await speaking;

  const truths = new Truths();
  const outcomes: Outcome[] = [];
  for (const heard of load.heard) outcomes.push({ heard, verdict: await judge(heard, truths) });
  return tally({ ...load, outcomes, strikesAtMs: [killedAtMs], sessions: SESSIONS });
}

it.skipIf(HAPROXY === undefined)(
  "behind HAProxy, kill -9 of an edge costs no client a sample (skipped where Debian's haproxy is not installed)",
  async () => {
    const heard = await killAnEdge(true);
    expect(broken(heard, { unspliced: true })).toEqual([]);
    expect(heard.reconnections).toBe(SESSIONS / 2);
    expect(heard.completed).toBeGreaterThanOrEqual(2 * SESSIONS);
  },
  120_000,
);

it.skipIf(HAPROXY === undefined)(
  "clients that do not resume lose what they were hearing (skipped where Debian's haproxy is not installed)",
  async () => {
    const heard = await killAnEdge(false);
    expect(heard.disconnected).toBe(SESSIONS / 2);
    expect(heard.lost).toBeGreaterThan(0);
  },
  120_000,
);
