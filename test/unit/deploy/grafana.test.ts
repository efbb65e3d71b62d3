import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { dashboardJson, PANELS } from "../../../deploy/grafana/dashboard.ts";

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
const queries = PANELS.flatMap((panel) => Object.values(panel.queries));
const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;

it("the dashboard's file is what `node deploy/grafana/dashboard.ts` writes", () => {
  expect(JSON.parse(read("deploy/grafana/dashboards/tts.json"))).toEqual(JSON.parse(dashboardJson()));
});

it("every query asks for metrics that the programs have", () => {
  const files = ["apps/edge/src", "apps/worker/src", "packages/core/src/process"];
  const sources = files.map((folder) => read(`${folder}/metrics.ts`)).join();
  for (const query of queries) {
    const named = query.match(/\btts_\w+/g) ?? [];
    expect(named.length, query).toBeGreaterThan(0);
    for (const name of named) expect(sources).toContain(`"${name.replace(/_bucket$/, "")}"`);
  }
});

/** Whether promtool can parse all of `expressions`. */
function areParsed(expressions: readonly string[]): boolean {
  const folder = mkdtempSync(join(tmpdir(), "queries-"));
  try {
    const rules = expressions.map((expr, i) => ({
      record: `query:${i}`,
      expr: expr.replaceAll("$__rate_interval", "1m"),
    }));
    const file = join(folder, "rules.yml");
    writeFileSync(file, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
    return spawnSync("promtool", ["check", "rules", file]).status === 0;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

it.skipIf(!hasPromtool)("every query is PromQL (skipped where Debian's prometheus is not installed)", () => {
  expect(areParsed(queries)).toBe(true);
  expect(areParsed([...queries, "sum(rate(tts_edge_connections)"])).toBe(false);
});
