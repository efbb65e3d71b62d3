import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, inject, it, onTestFinished, vi } from "vitest";
import { parse } from "yaml";
import { PANELS } from "../../../deploy/grafana/dashboard.ts";
import { type Fleet, startFleet } from "../../../scripts/supervisor/fleet.ts";
import { Prometheus } from "../../../testkit/deploy/prometheus.ts";

const RULES = readFileSync(new URL("../../../deploy/prometheus/rules/tts.yml", import.meta.url), "utf8");
const ALERTS: readonly string[] = parse(RULES)
  .groups.flatMap((group: { rules: { alert?: string }[] }) => group.rules)
  .flatMap(({ alert }: { alert?: string }) => alert ?? []);
const hasPrometheus = spawnSync("prometheus", ["--version"]).status === 0;
/** The only change to the rules: minutes of patience are seconds. Their expressions stay as they are. */
const IMPATIENT = RULES.replace(/^( +for: )\d+m$/gm, "$12s");
/** A circuit is first counted when it changes, which in health it does not. */
const SILENT_IN_HEALTH = new Set(["Circuit open"]);
const LISTENERS = 4;
const BUSY_MS = 5;
const IN_FAULT_MS = 400;
/** More than the rule for queues takes. */
const CROWD = 75;
const PLACES = 4;

/** Listeners who ask one after the other, until they are told to stop; half of what they ask for is cached. */
class Load {
  /** Between two requests of a listener. Fewer failures in a fault are sooner a small part of what is spoken after it. */
  pauseMs = BUSY_MS;
  readonly #url: string;
  #isOver = false;
  readonly #listeners: Promise<void>[];

  constructor(url: string) {
    this.#url = url;
    this.#listeners = Array.from({ length: LISTENERS }, () => this.#listen());
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#listeners);
  }

  /** @returns the status */
  async speak(text: string, logging: boolean): Promise<number> {
    const answer = await fetch(`${this.#url}/api/v1/synthesize`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "audio/pcm" },
      body: JSON.stringify({ text, logging }),
      signal: AbortSignal.timeout(60_000),
    });
    // A failure in its middle cuts the answer off.
    await answer.arrayBuffer().catch(() => undefined);
    return answer.status;
  }

  async #listen(): Promise<void> {
    for (let n = 0; !this.#isOver; n += 1) {
      await this.speak(`Sentence ${n % 20}.`, n % 4 === 0);
      await sleep(this.pauseMs);
    }
  }
}

async function order(fleet: Fleet, body: object): Promise<void> {
  const answer = await fetch(`${fleet.simulator.url}/admin/faults`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(answer.status).toBeLessThan(300);
}

const forget = (fleet: Fleet) => fetch(`${fleet.simulator.url}/admin/faults`, { method: "DELETE" });

it.skipIf(!hasPrometheus)(
  "a real Prometheus has data for the dashboard, no alert in health, each alert in its own fault, and none after (skipped without Debian's prometheus)",
  async () => {
    const prefix = { REDIS_KEY_PREFIX: "alerts" };
    const fleet = await startFleet({
      redisUrl: inject("redisUrl"),
      workers: 2,
      env: {
        simulator: { SIMULATOR_TIME_SCALE: "0" },
        worker: {
          ...prefix,
          WORKER_CONCURRENCY: String(PLACES / 2),
          BREAKER_OPEN_MS: "6000",
          FIRST_AUDIO_BUDGET_MS: "20000",
          POOL_WARM_SOCKETS: "0",
        },
        edge: { ...prefix, CACHE: "true", ADMISSION_MAX_WAITING: "55", ADMISSION_MAX_QUEUE_WAIT_MS: "0" },
      },
    });
    onTestFinished(() => fleet.close());
    const [, worker] = fleet.workers;
    const prometheus = await Prometheus.start({
      targets: {
        edge: fleet.edges.map(({ opsUrl }) => opsUrl),
        worker: fleet.workers.map(({ opsUrl }) => opsUrl),
      },
      rules: IMPATIENT,
    });
    onTestFinished(() => prometheus.close());
    const load = new Load(fleet.edges[0]?.url ?? "");
    onTestFinished(() => load.stop());

    await vi.waitFor(
      async () => {
        for (const { title, queries } of PANELS) {
          if (SILENT_IN_HEALTH.has(title)) continue;
          for (const query of Object.values(queries)) {
            expect(await prometheus.series(query), query).toBeGreaterThan(0);
          }
        }
      },
      { timeout: 40_000, interval: 500 },
    );
    expect(await prometheus.firing()).toEqual([]);

    const seen = new Set<string>();
    /** Does harm until each of `alerts` has fired, and none but `also`; ends it, and waits until none fires. */
    const inFault = async (
      alerts: readonly string[],
      also: readonly string[],
      harm: () => Promise<unknown>,
      end: () => Promise<unknown>,
    ) => {
      const met = new Set<string>();
      load.pauseMs = IN_FAULT_MS;
      await harm();
      await vi.waitFor(
        async () => {
          for (const alert of await prometheus.firing()) met.add(alert);
          expect([...met]).toEqual(expect.arrayContaining([...alerts]));
        },
        { timeout: 45_000, interval: 250 },
      );
      expect([...met].filter((alert) => !alerts.includes(alert) && !also.includes(alert))).toEqual([]);
      await end();
      load.pauseMs = BUSY_MS;
      await vi.waitFor(async () => expect(await prometheus.firing()).toEqual([]), {
        timeout: 90_000,
        interval: 250,
      });
      for (const alert of alerts) seen.add(alert);
    };

    let crowd: Promise<unknown> = Promise.resolve();
    await inFault(
      ["TtsAdmissionClosed", "TtsFirstAudioSlow", "TtsQueueWaits"],
      [],
      async () => {
        await order(fleet, { fault: "stall-before-audio", forMs: 5_000, connections: 2 * PLACES });
        crowd = Promise.all(
          Array.from({ length: CROWD }, (_, i) => load.speak(`Sentence ${i % 20}.`, false)),
        );
      },
      async () => {
        await forget(fleet);
        await crowd;
      },
    );
    await inFault(
      ["TtsTargetDown"],
      [],
      async () => worker?.part.kill(),
      async () => worker?.start(),
    );
    await inFault(
      ["TtsProviderKeyRefused"],
      ["TtsUtterancesFail"],
      () => order(fleet, { fault: "opening-error:invalid_api_key", connections: 1_000 }),
      () => forget(fleet),
    );
    await inFault(
      ["TtsCircuitOpen", "TtsUtterancesFail"],
      [],
      () => order(fleet, { fault: "drop-before-audio", connections: 1_000 }),
      () => forget(fleet),
    );
    for (const { title, queries } of PANELS.filter((panel) => SILENT_IN_HEALTH.has(panel.title))) {
      for (const query of Object.values(queries))
        expect(await prometheus.series(query), title).toBeGreaterThan(0);
    }
    expect([...seen].sort()).toEqual([...ALERTS].sort());
  },
  235_000,
);
