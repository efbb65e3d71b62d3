import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, inject, it, onTestFinished, vi } from "vitest";
import { PANELS } from "../../../deploy/grafana/dashboard.ts";
import { freePort, spawnWithParent } from "../../../scripts/private-redis.ts";
import { startSystem } from "../../../testkit/fleet/system.ts";

const RULES = fileURLToPath(new URL("../../../deploy/prometheus/rules/tts.yml", import.meta.url));
const hasPrometheus = spawnSync("prometheus", ["--version"]).status === 0;
/** A circuit is first counted when it changes, which in health it does not. */
const SILENT_IN_HEALTH = new Set(["Circuit open"]);

it.skipIf(!hasPrometheus)(
  "a real Prometheus has data for the dashboard's queries and no alert in health (skipped without Debian's prometheus)",
  async () => {
    const system = await startSystem({
      redisUrl: inject("redisUrl"),
      edge: { cache: true },
      simulator: { timeScale: 0 },
    });
    onTestFinished(() => system.close());
    const folder = mkdtempSync(join(tmpdir(), "prometheus-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const targets = { edge: system.opsUrl, worker: system.workers[0]?.opsUrl ?? "" };
    const config = {
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: [RULES],
      scrape_configs: Object.entries(targets).map(([name, url]) => ({
        job_name: name,
        static_configs: [{ targets: [new URL(url).host] }],
      })),
    };
    writeFileSync(join(folder, "prometheus.yml"), JSON.stringify(config));
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawnWithParent(
      "prometheus",
      [
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=${address}`,
      ],
      { signal: "SIGKILL" },
    );
    const ended = new Promise((resolve) => child.once("close", resolve));
    onTestFinished(async () => {
      child.kill("SIGKILL");
      await ended;
    });
    const ask = async (path: string) => {
      const answer = await fetch(`http://${address}/api/v1/${path}`);
      return ((await answer.json()) as { data: { result: unknown[]; alerts: unknown[] } }).data;
    };
    const speak = async (n: number) => {
      const body = JSON.stringify({ text: `Sentence ${n}.` });
      const headers = { "content-type": "application/json", accept: "audio/pcm" };
      const spoken = await fetch(`${system.url}/api/v1/synthesize`, { method: "POST", headers, body });
      expect((await spoken.arrayBuffer()).byteLength).toBeGreaterThan(1_000);
    };
    let said = 0;
    await vi.waitFor(
      async () => {
        await speak(said++);
        for (const { title, queries } of PANELS) {
          if (SILENT_IN_HEALTH.has(title)) continue;
          for (const query of Object.values(queries)) {
            const expr = encodeURIComponent(query.replaceAll("$__rate_interval", "10s"));
            expect((await ask(`query?query=${expr}`)).result.length, query).toBeGreaterThan(0);
          }
        }
        expect((await ask("query?query=tts:first_audio_seconds:p95")).result.length).toBe(1);
      },
      { timeout: 40_000, interval: 500 },
    );
    expect((await ask("alerts")).alerts).toEqual([]);
  },
);
