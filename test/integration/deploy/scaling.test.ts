import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, inject, it, onTestFinished, vi } from "vitest";
import { parseAllDocuments } from "yaml";
import { FrontDoor } from "../../../scripts/chaos/fleet/front-door.ts";
import { judge } from "../../../scripts/chaos/listener/judge.ts";
import { type LoadResult, runLoad } from "../../../scripts/chaos/listener/load.ts";
import { type Outcome, tally } from "../../../scripts/chaos/listener/tally.ts";
import { SPOKEN_SENTENCES } from "../../../scripts/chaos/listener/texts.ts";
import { Truths } from "../../../scripts/chaos/listener/truth.ts";
import { broken } from "../../../scripts/chaos/promises.ts";
import { startFleet } from "../../../scripts/supervisor/fleet.ts";
import { Autoscaler, type AutoscalerPlan, type Measured } from "../../../testkit/deploy/autoscaler.ts";
import { Growth, MetricsGate, sumOf } from "../../../testkit/deploy/metrics-gate.ts";
import { ScaledDeployment } from "../../../testkit/deploy/scaled-deployment.ts";
import { Random } from "../../../testkit/ground/random.ts";

/** The manifests, of which nothing is changed but what stands here. */
const read = (path: string) =>
  parseAllDocuments(readFileSync(new URL(`../../../k8s/${path}`, import.meta.url), "utf8")).map((it) =>
    it.toJS(),
  );
/** Seconds of the manifest are so many times shorter: 300 s of stabilization are 5 s. */
const FASTER = 60;
const EVERY_MS = 1_000;
/** Sizes and targets are a small machine's; the share of a worker's places that is the target stays the manifest's. */
const SMALL = {
  worker: { from: 1, to: 4, target: 8, concurrency: 14 },
  edge: { from: 1, to: 3, target: 75 },
};

/** Sessions that come at first, that come all at once, and that come when every edge is there and stay to the end. */
const [FIRST, CROWD, STAYING] = [14, 172, 14];
/** Between two utterances of a session, on average: about a third of the sessions speaks at a time. */
const PAUSE_MS = 10_000;
const CALM_WITHIN_MS = 20_000;

interface Program {
  readonly autoscaler: Autoscaler;
  readonly metrics: readonly { readonly type: Measured["type"]; readonly name: string }[];
  readonly graceMs: number;
  readonly env: NodeJS.ProcessEnv;
}

/** A program as its manifests have it scaled and ended. */
function fromManifests(program: "worker" | "edge"): Program {
  const { spec } = read("overlays/production/scaling.yaml").find(({ metadata }) => metadata.name === program);
  const { stabilizationWindowSeconds, policies } = spec.behavior.scaleDown;
  const plan: AutoscalerPlan = {
    minReplicas: SMALL[program].from,
    maxReplicas: SMALL[program].to,
    scaleDown: {
      stabilizationWindowMs: (stabilizationWindowSeconds * 1_000) / FASTER,
      pods: policies[0].value,
      periodMs: (policies[0].periodSeconds * 1_000) / FASTER,
    },
  };
  const pod = read(`base/${program}.yaml`).find(({ kind }) => kind === "Deployment").spec.template.spec;
  const env: readonly { name: string; value: string }[] = pod.containers[0].env ?? [];
  return {
    autoscaler: new Autoscaler(plan),
    metrics: spec.metrics.map((it: { type: "Pods" | "External" }) => ({
      type: it.type,
      name: (it as unknown as Record<string, { metric: { name: string } }>)[it.type.toLowerCase()]?.metric
        .name,
    })),
    graceMs: pod.terminationGracePeriodSeconds * 1_000,
    env: Object.fromEntries(
      env.filter(({ name }) => name.startsWith("DRAIN_")).map((it) => [it.name, it.value]),
    ),
  };
}

async function startScaled() {
  const [workers, edges] = [fromManifests("worker"), fromManifests("edge")];
  const fleet = await startFleet({
    redisUrl: inject("redisUrl"),
    env: {
      simulator: { SIMULATOR_GENERATION_SPEED: "2" },
      worker: {
        REDIS_KEY_PREFIX: "scaling",
        WORKER_CONCURRENCY: String(SMALL.worker.concurrency),
        PROVIDER_SLOTS: "1000",
        ...workers.env,
      },
      edge: { REDIS_KEY_PREFIX: "scaling", TTS_NATURAL: "true", ...edges.env },
    },
  });
  onTestFinished(() => fleet.close());
  const gate = await new MetricsGate().open();
  onTestFinished(() => gate.close());
  const scaled = (program: "worker" | "edge", from: Program): ScaledDeployment =>
    new ScaledDeployment({
      fleet,
      program,
      autoscaler: from.autoscaler,
      graceMs: from.graceMs,
      readMetrics: ({ opsUrl }) => gate.read(opsUrl),
      toMeasured: (texts) => measured(from, program, texts, queueText),
    });
  let queueText: string | undefined;
  const worker = scaled("worker", workers);
  const edge = scaled("edge", edges);
  const look = async () => {
    // Every edge tells the depth of the one queue; an adapter takes the largest, a test any.
    queueText = await gate.read(edge.ready[0]?.opsUrl ?? "");
    await Promise.all([worker.look(), edge.look()]);
  };
  return { fleet, gate, worker, edge, look };
}

const measured = (
  { metrics }: Program,
  program: "worker" | "edge",
  texts: readonly (string | undefined)[],
  queueText: string | undefined,
): readonly Measured[] =>
  metrics.map(({ type, name }) => {
    const { target } = SMALL[program];
    if (type === "External") return { type, target, total: sumOf(queueText, name) };
    return { type, target, values: texts.map((text) => sumOf(text, name)) };
  });

/** The service: new connections go to the ready edge that has fewest. */
async function openDoor(edge: ScaledDeployment): Promise<FrontDoor> {
  const port = ({ url }: { url: string }) => Number(new URL(url).port);
  const door = await new FrontDoor((connections) =>
    edge.ready.map(port).sort((a, b) => (connections.get(a) ?? 0) - (connections.get(b) ?? 0)),
  ).open();
  onTestFinished(() => door.close());
  return door;
}

it("workers grow from 1 to 4 and edges from 1 to 3 under load and shrink again, and nothing that was asked for is lost", async () => {
  const startedAtMs = performance.now();
  const { gate, worker, edge, look } = await startScaled();
  const door = await openDoor(edge);
  const waits = new Growth("tts_worker_first_audio_seconds", 'part="queue"', 3);
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const rounds = (async () => {
    while (!stop.signal.aborted) {
      await look();
      const texts = await Promise.all(
        worker.ready.map(async ({ name, opsUrl }) => {
          const answer = await fetch(`${opsUrl}/metrics`).catch(() => undefined);
          return [name, await answer?.text()] as const;
        }),
      );
      waits.look(new Map(texts));
      await sleep(EVERY_MS);
    }
  })();
  const speaking = { few: true, many: true };
  const speak = (sessions: number, seed: number, isCalm: () => boolean) =>
    runLoad({
      url: door.url,
      sessions,
      delivery: "paced",
      resume: true,
      utterances: 0,
      random: new Random(seed),
      text: (session, turn) => {
        const { text, voice } = new Random(seed * 7_919 + session * 101 + turn).pick(SPOKEN_SENTENCES);
        return { text, voice, pieces: [text] };
      },
      before: async (session, turn) => {
        const pause = new Random(seed * 104_729 + session * 103 + turn).next() * 2 * PAUSE_MS;
        await sleep(isCalm() ? 0 : pause);
      },
      onEnded: () => {},
      isCalm,
      signal: stop.signal,
    });
  const sizes = () => [worker.ready.length, edge.ready.length];
  /** Milliseconds until there are as many workers and edges as given, and 99 of 100 utterances wait no longer than 1 s. */
  const calmAfter = async (reached: readonly [number, number]) => {
    const atMs = performance.now();
    await vi.waitFor(() => expect(sizes()).toEqual(reached), { timeout: 60_000, interval: 100 });
    await vi.waitFor(() => expect(waits.quantile(0.99) ?? 99).toBeLessThanOrEqual(1), {
      timeout: CALM_WITHIN_MS,
      interval: 200,
    });
    return performance.now() - atMs;
  };

  const first = speak(FIRST, 1, () => !speaking.many);
  await calmAfter([1, 1]);
  const crowd = speak(CROWD, 2, () => !speaking.many);
  const most = [SMALL.worker.to, SMALL.edge.to] as const;
  expect(await calmAfter(most)).toBeLessThan(CALM_WITHIN_MS);
  const staying = speak(STAYING, 3, () => !speaking.few);
  expect(await calmAfter(most)).toBeLessThan(CALM_WITHIN_MS);
  await sleep(10 * EVERY_MS);

  // An adapter that knows nothing is not an adapter that has counted to nothing.
  gate.isShut = true;
  speaking.many = false;
  const left = await Promise.all([first, crowd]);
  await sleep(10 * EVERY_MS);
  expect([worker.size, edge.size]).toEqual(most);
  gate.isShut = false;
  expect(await calmAfter([SMALL.worker.from, SMALL.edge.from])).toBeLessThan(CALM_WITHIN_MS);
  await worker.settled();
  await edge.settled();
  speaking.few = false;
  const loads = [...left, await staying];
  stop.abort();
  await rounds;

  // Never back and forth: up in one go, down one by one.
  expect(worker.sizes.slice(worker.sizes.indexOf(SMALL.worker.to))).toEqual([4, 3, 2, 1]);
  expect(edge.sizes.slice(edge.sizes.indexOf(SMALL.edge.to))).toEqual([3, 2, 1]);
  for (const { sizes: all } of [worker, edge])
    expect(all.filter((it, i) => it < (all[i - 1] ?? 0)).length).toBe(Math.max(...all) - 1);
  expect([...worker.ends, ...edge.ends]).toEqual(Array.from({ length: 5 }, () => "exit code 0"));

  const sum = (of: (load: LoadResult) => number) => loads.reduce((all, load) => all + of(load), 0);
  const truths = new Truths();
  const outcomes: Outcome[] = [];
  for (const heard of loads.flatMap((load) => load.heard))
    outcomes.push({ heard, verdict: await judge(heard, truths) });
  const figures = tally({
    outcomes,
    strikesAtMs: [startedAtMs],
    sessions: FIRST + CROWD + STAYING,
    sessionsNotGoingOn: sum((load) => load.sessionsNotGoingOn),
    reconnections: sum((load) => load.reconnections),
  });
  expect(broken(figures, {})).toEqual([]);
  expect(figures.utterances).toBeGreaterThan(2 * figures.sessions);
  // The leaving edges had clients, which went on elsewhere.
  expect(figures.reconnections).toBeGreaterThanOrEqual(STAYING / 2);
}, 230_000);
