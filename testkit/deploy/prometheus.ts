import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, spawnWithParent } from "../../scripts/private-redis.ts";

/** One of the alerts that a Prometheus knows now. */
export interface KnownAlert {
  readonly state: "pending" | "firing";
  readonly labels: Readonly<Record<string, string>>;
}

interface Answer {
  readonly data: { readonly result: readonly unknown[]; readonly alerts: readonly KnownAlert[] };
}

export interface PrometheusOptions {
  /** Addresses of metrics by the name of their job. */
  readonly targets: Readonly<Record<string, readonly string[]>>;
  /** The rules, as text. */
  readonly rules: string;
}

/** A real Prometheus that reads its targets and evaluates its rules once a second. */
export class Prometheus {
  readonly #address: string;
  readonly #close: () => Promise<void>;

  private constructor(address: string, close: () => Promise<void>) {
    this.#address = address;
    this.#close = close;
  }

  static async start({ targets, rules }: PrometheusOptions): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), "prometheus-"));
    const config = {
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: [join(folder, "rules.yml")],
      scrape_configs: Object.entries(targets).map(([name, urls]) => ({
        job_name: name,
        static_configs: [{ targets: urls.map((url) => new URL(url).host) }],
      })),
    };
    await writeFile(join(folder, "prometheus.yml"), JSON.stringify(config));
    await writeFile(join(folder, "rules.yml"), rules);
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
    return new Prometheus(address, async () => {
      child.kill("SIGKILL");
      await ended;
      await rm(folder, { recursive: true });
    });
  }

  /** How many series `query` has now. `$__rate_interval` is ten seconds. */
  async series(query: string): Promise<number> {
    const expr = encodeURIComponent(query.replaceAll("$__rate_interval", "10s"));
    return (await this.#ask(`query?query=${expr}`)).data.result.length;
  }

  /** Names of the alerts that fire now, each once, sorted. */
  async firing(): Promise<readonly string[]> {
    const { alerts } = (await this.#ask("alerts")).data;
    const firing = alerts.filter(({ state }) => state === "firing");
    return [...new Set(firing.flatMap(({ labels }) => labels["alertname"] ?? []))].sort();
  }

  /** May be called once. */
  close(): Promise<void> {
    return this.#close();
  }

  async #ask(path: string): Promise<Answer> {
    const answer = await fetch(`http://${this.#address}/api/v1/${path}`);
    if (!answer.ok) throw new Error(`Prometheus answers ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as Answer;
  }
}
