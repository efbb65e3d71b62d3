import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const folder = join(root, "deploy/prometheus");
const rulesText = readFileSync(join(folder, "rules/tts.yml"), "utf8");
const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;

interface Rule {
  readonly alert?: string;
  readonly expr: string;
  readonly annotations?: { readonly runbook: string };
}
const rules: readonly Rule[] = parse(rulesText).groups.flatMap((group: { rules: Rule[] }) => group.rules);
const alerts = rules.flatMap(({ alert }) => alert ?? []);

const promtool = (...args: readonly string[]) => spawnSync("promtool", args, { encoding: "utf8" });

/** How promtool's tests end when `from` in the rules reads `to`. */
function testsWith(from: string, to: string) {
  const copy = mkdtempSync(join(tmpdir(), "rules-"));
  try {
    cpSync(join(folder, "rules"), copy, { recursive: true });
    expect(rulesText).toContain(from);
    writeFileSync(join(copy, "tts.yml"), rulesText.replace(from, to));
    return promtool("test", "rules", join(copy, "tts.test.yml")).status;
  } finally {
    rmSync(copy, { recursive: true });
  }
}

describe("alerts", () => {
  it("each has a section in the runbook that its annotation leads to", () => {
    const headings = readFileSync(join(root, "docs/runbook.md"), "utf8").match(/(?<=^## ).+$/gm);
    expect(headings).toEqual(alerts);
    for (const { alert, annotations } of rules) {
      if (alert) expect(annotations?.runbook).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
    }
  });

  it("ask for metrics that the programs have", () => {
    const sources = ["edge", "worker"].map((app) =>
      readFileSync(join(root, `apps/${app}/src/metrics.ts`), "utf8"),
    );
    const named = rules.flatMap(({ expr }) => expr.match(/\btts_\w+/g) ?? []);
    expect(named.length).toBeGreaterThanOrEqual(alerts.length - 1);
    for (const name of named) expect(sources.join()).toContain(`"${name.replace(/_bucket$/, "")}"`);
  });
});

describe.skipIf(!hasPromtool)("promtool (skipped where Debian's prometheus is not installed)", () => {
  it("takes the configuration with its rules", () => {
    const { status, stderr } = promtool("check", "config", join(folder, "prometheus.yml"));
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });

  it("sees no alert in health, and each in its fault", () => {
    const { status, stdout } = promtool("test", "rules", join(folder, "rules/tts.test.yml"));
    expect(stdout).not.toContain("FAILED");
    expect(status).toBe(0);
  });

  it.each([
    ["a misspelt field", "    rules:", "    rulez:"],
    ["an alert that never fires", "> 50", "> 500"],
    ["an alert that always fires", "> 50", "> 1"],
  ])("refuses %s", (_, from, to) => {
    expect(testsWith(from, to)).not.toBe(0);
  });
});
