import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../../../scripts/tools.ts";

function run(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { PATH } = process.env;
  const options = { encoding: "utf8", env: { PATH, ...env }, timeout: 30_000 } as const;
  return spawnSync(process.execPath, [join(root, file), ...args], options);
}

const STACK = /^\s+at .+:\d+/m;

describe.each(["edge", "worker", "simulator"])("the %s", (name) => {
  const file = `apps/${name}/src/main.ts`;

  test("tells what it is, and which version, and starts nothing", () => {
    const help = run(file, ["--help"]);
    expect(help.status).toBe(0);
    expect(help.stdout).toContain("--print-config");
    expect(help.stdout).toContain("LOG_LEVEL (info)");
    const version = run(file, ["--version"], { TTS_COMMIT: "0123456789abcdef" });
    expect(version.stdout).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(0123456789abcdef\\)\n$`));
  });

  test("prints its settings without secrets, each with its source", () => {
    const env = {
      LOG_LEVEL: "warn",
      REDIS_URL: "redis://:hunter22@redis:6379",
      ELEVENLABS_API_KEY: "sk_hidden",
    };
    const { stdout, status } = run(file, ["--print-config"], env);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^LOG_LEVEL=warn +# env$/m);
    expect(stdout).toMatch(/ # default$/m);
    expect(stdout).not.toMatch(/hunter22|sk_hidden/);
    if (name === "worker") expect(stdout).toMatch(/^ELEVENLABS_API_KEY=\[secret\] +# env$/m);
  });

  test("says of an argument that it does not know it", () => {
    const { status, stderr } = run(file, ["--prnt-config"]);
    expect(status).toBe(2);
    expect(stderr).toBe(`--prnt-config is not known to the ${name}: --help tells what is.\n`);
  });

  const bad = {
    edge: { LOG_LEVEL: "loud", ELEVENLABS_URL: "nonsense", PORT: "x", REDIS_URL: "http://redis" },
    worker: { LOG_LEVEL: "loud", ELEVENLABS_URL: "nonsense", WORKER_PORT: "x", REDIS_URL: "http://redis" },
    simulator: {
      LOG_LEVEL: "loud",
      SIMULATOR_PORT: "x",
      SIMULATOR_TIME_SCALE: "fast",
      SIMULATOR_UPGRADE_MS: "-1",
    },
  }[name];

  test("checks its settings: a sentence for each that is bad, all at once, and no stack", () => {
    const { status, stderr, stdout } = run(file, ["--check-config"], { ...bad, WORKER_CONCURENCY: "3" });
    expect(status).toBe(1);
    expect(stdout).toBe("");
    const [unknown, ...sentences] = stderr.trim().split("\n");
    expect(unknown).toBe("WORKER_CONCURENCY is read by no program. Was WORKER_CONCURRENCY meant?");
    expect(sentences).toHaveLength(Object.keys(bad ?? {}).length);
    for (const sentence of sentences)
      expect(sentence).toMatch(/^[A-Z_]+=".*" can't be used: it must be .+\.$/);
    expect(run(file, ["--check-config"]).stdout).toBe(`The configuration of the ${name} can be used.\n`);
  });

  test("started with bad settings it says the same, and no stack", () => {
    const { status, stderr, stdout } = run(file, [], bad);
    expect(status).toBe(1);
    expect(`${stdout}${stderr}`).not.toMatch(STACK);
    const line = JSON.parse(stdout.trim()) as { code: string; reason: string };
    expect(line.code).toBe("config.invalid");
    for (const variable of Object.keys(bad ?? {})) expect(line.reason).toContain(`${variable}=`);
  });
});

test("the worker checks its keys as well, and shows none", () => {
  const { status, stderr } = run("apps/worker/src/main.ts", ["--check-config"], {
    ELEVENLABS_API_KEY: "sk_with space",
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(/ELEVENLABS_API_KEY/);
  expect(stderr).not.toContain("sk_with");
});

test.each(["start", "dev", "say", "bench", "chaos", "cache"])(
  "npm run %s answers --help and --version",
  (name) => {
    const file = `scripts/${name}.ts`;
    const help = run(file, ["--help"]);
    expect([help.status, help.stdout]).toEqual([0, expect.stringContaining("Usage: npm ")]);
    expect(run(file, ["--version"]).stdout).toMatch(
      /^tts-labs \d+\.\d+\.\d+ \((?:[0-9a-f]{40}|unknown)\)\n$/,
    );
  },
);
