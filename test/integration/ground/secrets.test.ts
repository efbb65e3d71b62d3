import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, openRedis } from "@tts-labs/core/redis/client";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { freePort, startPrivateRedis } from "../../../scripts/private-redis.ts";
import { root } from "../../../scripts/tools.ts";

const PASSWORD = "right-password-0123456789";
const WRONG = "wrong-password-9876543210";
const KEY = "sk_feedfacefeedfacefeedface";
const SECRETS = [PASSWORD, WRONG, KEY];

interface Program {
  output(): string;
  readonly ended: Promise<number | null>;
  readonly opsUrl: string;
}

/** A program by itself, as an operator starts it, with everything it says. */
async function start(app: "edge" | "worker", env: NodeJS.ProcessEnv): Promise<Program> {
  const opsPort = await freePort();
  const ports = { PORT: "0", OPS_PORT: String(opsPort), WORKER_PORT: String(opsPort) };
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(root, "apps", app, "src", "main.ts")],
    {
      env: { PATH: process.env["PATH"], LOG_LEVEL: "debug", ELEVENLABS_API_KEY: KEY, ...ports, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const ended = once(child, "close").then(([code]) => code as number | null);
  return { output: () => output, ended, opsUrl: `http://127.0.0.1:${opsPort}` };
}

function expectNoSecret(output: string): void {
  expect(output).not.toBe("");
  for (const secret of SECRETS) expect(output).not.toContain(secret);
}

const closedPort = async () => `127.0.0.1:${await freePort()}`;

describe.each(["edge", "worker"] as const)("the %s", (app) => {
  test.each([
    [
      "a wrong password",
      async (at: string) => `redis://:${WRONG}@${at}`,
      /"Redis at 127\.0\.0\.1:\d+ refuses the user or password in REDIS_URL/,
    ],
    [
      "no password",
      async (at: string) => `redis://${at}`,
      /"Redis at 127\.0\.0\.1:\d+ asks for a password: put it into REDIS_URL/,
    ],
    [
      "a Redis that is not there",
      async () => `redis://:${WRONG}@${await closedPort()}`,
      /"Redis at 127\.0\.0\.1:\d+ can't be reached \(ECONNREFUSED\): start it, or correct REDIS_URL/,
    ],
    [
      "a cluster that is not there",
      async () => `redis-cluster://:${WRONG}@${await closedPort()}`,
      /"Redis at 127\.0\.0\.1:\d+ can't be reached.*correct REDIS_URL/,
    ],
    [
      "an address that is none",
      async () => `redis//:${WRONG}@nowhere`,
      /"REDIS_URL must be redis:\/\/host:port/,
    ],
  ])(
    "that is given %s ends with one line that says so and where to look, without a stack",
    async (_what, urlOf, words) => {
      const redis = await startPrivateRedis({ args: ["--requirepass", PASSWORD] });
      onTestFinished(() => redis.stop());
      const program = await start(app, { REDIS_URL: await urlOf(`127.0.0.1:${redis.port}`) });
      expect(await program.ended).toBe(1);
      const output = program.output();
      expect(output).toMatch(words);
      expect(output.trim().split("\n")).toHaveLength(1);
      expect(output).not.toMatch(/"stack"/);
      expectNoSecret(output);
    },
    30_000,
  );
});

test("no log of edge or worker holds a secret, though Redis' password changes under them and every provider call fails", async () => {
  const redis = await startPrivateRedis({ args: ["--requirepass", PASSWORD] });
  onTestFinished(() => redis.stop());
  const REDIS_URL = `redis://default:${PASSWORD}@127.0.0.1:${redis.port}`;
  const provider = `http://user:${WRONG}@${await closedPort()}`;
  const programs = [
    await start("edge", { REDIS_URL }),
    await start("worker", { REDIS_URL, ELEVENLABS_URL: provider, PROVIDER_RETRIES_MAX: "0" }),
  ];
  for (const { opsUrl, output } of programs) {
    await vi.waitFor(
      async () => expect((await fetch(`${opsUrl}/readyz`)).status, output()).toBe(200),
      20_000,
    );
  }
  const admin = openRedis({ url: REDIS_URL, purpose: "commands", logger: silentLogger });
  onTestFinished(() => closeRedis(admin));
  await admin.config("SET", "requirepass", WRONG);
  await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  await admin.call("CLIENT", "KILL", "TYPE", "pubsub");
  for (const { output } of programs) await vi.waitFor(() => expect(output()).toContain("WRONGPASS"), 20_000);
  for (const { output } of programs) expectNoSecret(output());
}, 60_000);
