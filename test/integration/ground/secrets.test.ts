import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { KeyStore } from "@tts-labs/core/access/key-store";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, openRedis } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { WebSocket } from "ws";
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
      /REDIS_URL=\\"redis\/\/\[secret\]@nowhere\\" can't be used: it must be redis:\/\/host:port/,
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

test("no log of an edge that asks for keys holds a key, a token or a session's token, in whatever way they were shown", async () => {
  const redis = await startPrivateRedis();
  onTestFinished(() => redis.stop());
  const admin = openRedis({ url: redis.url, purpose: "commands", logger: silentLogger });
  onTestFinished(() => closeRedis(admin));
  const { key } = await new KeyStore(admin, new Keys("tts")).create({
    tenant: "acme",
    name: "",
    role: "client",
  });
  const { opsUrl, output } = await start("edge", { REDIS_URL: redis.url, ACCESS: "keys", TTS_VOICE: "any" });
  await vi.waitFor(async () => expect((await fetch(`${opsUrl}/readyz`)).status, output()).toBe(200), 20_000);
  const url = /"url":"([^"]+)"/.exec(output())?.[1] ?? "";
  const headers = { "x-api-key": key, "content-type": "application/json" };
  const ask = (path: string, body: object, shown: Record<string, string> = headers) =>
    fetch(`${url}${path}`, { method: "POST", headers: shown, body: JSON.stringify(body) });
  const { token } = (await (await ask("/api/v1/tokens", {})).json()) as { token: string };
  const unused = ((await (await ask("/api/v1/tokens", {})).json()) as { token: string }).token;
  const wrong = `${key.slice(0, -6)}AAAAAA`;
  const json = { "content-type": "application/json" };
  await ask("/api/v1/synthesize", { voice: 7 }, { ...json, authorization: `Bearer ${wrong}` });
  await ask(`/api/v1/synthesize?api_key=${key}`, { text: "Hello." }, json);
  await ask(`/api/v1/synthesize?token=${unused}`, { text: "Hello." }, json);
  const answered = await ask(`/api/v1/nowhere?token=${unused}&key=${key}`, {}, json);
  expect(await answered.text()).not.toContain(key);
  const socket = new WebSocket(`${url.replace("http", "ws")}/api/v1/stream?token=${token}&session_id=s`);
  onTestFinished(() => socket.terminate());
  const [told] = await once(socket, "message");
  const { resume_token } = JSON.parse(String(told)) as { resume_token: string };
  socket.send(JSON.stringify({ type: "authenticate", token: unused }));
  socket.send(JSON.stringify({ type: "resume", resume_token }));
  await once(socket, "message");
  socket.terminate();
  await vi.waitFor(async () => {
    const info = (await (await fetch(`${opsUrl}/api/v1/live`)).json()) as { sessions: { items: unknown[] } };
    expect(JSON.stringify(info)).toContain("detached");
    expect(JSON.stringify(info)).not.toContain(resume_token);
  }, 10_000);
  for (const secret of [key, key.split("_")[2] ?? key, wrong, token, unused, resume_token]) {
    expect(output()).not.toContain(secret);
  }
}, 60_000);
