import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, openRedis } from "@tts-labs/core/redis/client";
import { defaultSimulatorConfig } from "@tts-labs/simulator/config";
import { startSimulator } from "@tts-labs/simulator/main";
import { afterEach, describe, expect, it, vi } from "vitest";
import { freePort, startPrivateRedis } from "../../../scripts/private-redis.ts";
import { root } from "../../../scripts/tools.ts";

/** `npm start` from within: what `scripts/run.mjs` runs once the machine is ready. */
interface Start {
  readonly child: ChildProcess;
  readonly url: string;
  output(): string;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
}

const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

async function start(env: NodeJS.ProcessEnv = {}, args: readonly string[] = []): Promise<Start> {
  const port = Number(env["PORT"] ?? (await freePort()));
  const child = spawn(process.execPath, [join(root, "scripts", "start.ts"), ...args], {
    env: { ...process.env, PORT: String(port), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.push(child);
  let output = "";
  const keep = (chunk: Buffer) => {
    output += chunk.toString();
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const ended = once(child, "close").then(([code]) => code as number | null);
  return { child, url: `http://127.0.0.1:${port}`, output: () => output, ended };
}

async function ready(env: NodeJS.ProcessEnv = {}): Promise<Start> {
  const run = await start(env);
  await vi.waitFor(() => expect(run.output()).toContain("/fastrtc"), 40_000);
  return run;
}

/** Programs that `pid` has started, by process id. */
function childrenOf(pid: number | undefined): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((it) => it > 0 && parentOf(it) === pid);
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}

const commandOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");

/** TCP ports on which `pid` listens. */
function listeningPorts(pid: number): number[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      } catch {
        return undefined;
      }
    }),
  );
  return ["tcp", "tcp6"].flatMap((family) =>
    readFileSync(`/proc/${pid}/net/${family}`, "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[3] === "0A" && inodes.has(columns[9]))
      .map((columns) => Number.parseInt(columns[1]?.split(":")[1] ?? "", 16)),
  );
}

const lives = (pid: number) => parentOf(pid) !== undefined;

describe.runIf(process.platform === "linux")("npm start", () => {
  it("brings up Redis, simulator, worker and edge; Ctrl-C, arriving twice, leaves nothing", async () => {
    const { child, url, ended, output } = await ready();
    const parts = childrenOf(child.pid);
    const commands = parts.map(commandOf).join("\n");
    for (const name of ["redis-server", "apps/simulator", "apps/worker", "apps/edge"]) {
      expect(commands).toContain(name);
    }
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    child.kill("SIGINT");
    child.kill("SIGINT");
    expect(await ended).toBe(0);
    expect(output()).toContain("Stopping …");
    expect(parts.filter(lives)).toEqual([]);
  });

  it("killed with -9 it leaves nothing but its Redis' folder, which the next start removes", async () => {
    const { child, ended, output } = await ready();
    const parts = childrenOf(child.pid);
    expect(parts).toHaveLength(4);
    const edge = parts.find((pid) => commandOf(pid).includes("apps/edge"));
    // The page's builder is gone once the page is built.
    expect(childrenOf(edge).map(commandOf)).toEqual([]);
    const [, path = ""] = /private, unix:\/\/(\S+)/.exec(output()) ?? [];
    child.kill("SIGKILL");
    await ended;
    await vi.waitFor(() => expect(parts.filter(lives)).toEqual([]), 10_000);
    expect(existsSync(dirname(path))).toBe(true);
    const next = await startPrivateRedis({ over: "socket" });
    expect(existsSync(dirname(path))).toBe(false);
    await next.stop();
  });

  it("keeps its Redis to its user: no port, no DEBUG, a socket in a folder that others can't enter", async () => {
    const { child, url, ended, output } = await ready();
    const pid = childrenOf(child.pid).find((it) => commandOf(it).includes("redis-server")) ?? 0;
    expect(listeningPorts(pid)).toEqual([]);
    const [, path = ""] = /private, unix:\/\/(\S+)/.exec(output()) ?? [];
    expect(statSync(path).mode & 0o077).toBe(0);
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
    const redis = openRedis({ url: `unix://${path}`, purpose: "commands", logger: silentLogger });
    await expect(redis.call("DEBUG", "SLEEP", "0")).rejects.toThrow(/DEBUG/);
    await closeRedis(redis);
    const spoken = await fetch(`${url}/api/v1/synthesize`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "audio/pcm" },
      body: '{"text":"Over a socket."}',
    });
    expect((await spoken.arrayBuffer()).byteLength).toBeGreaterThan(10_000);
    child.kill("SIGINT");
    await ended;
    expect(existsSync(dirname(path))).toBe(false);
  });

  it("takes no foreign server for a part of its own, whatever that answers", async () => {
    const foreign = createHttpServer((_, response) => response.end("{}"));
    await new Promise<void>((resolve) => foreign.listen(0, "127.0.0.1", resolve));
    const { port } = foreign.address() as AddressInfo;
    const variables = ["WORKER_PORT", "SIMULATOR_PORT", "OPS_PORT"];
    const asked = variables.map(async (variable) => {
      const { ended, output, child } = await start({ [variable]: String(port) });
      expect(await ended, output()).toBe(1);
      expect(output().trim().split("\n"), output()).toHaveLength(1);
      expect(output()).toContain(
        `Port ${port} is taken on 127.0.0.1: end what listens there, or choose another by ${variable}.`,
      );
      expect(childrenOf(child.pid)).toEqual([]);
    });
    await Promise.all(asked);
    foreign.close();
  }, 60_000);

  it("wins where it is started twice at once with the same ports, and the other says so in one sentence", async () => {
    const [PORT, WORKER_PORT, SIMULATOR_PORT, OPS_PORT] = await Promise.all(
      Array.from({ length: 4 }, async () => String(await freePort())),
    );
    const ports = { PORT, WORKER_PORT, SIMULATOR_PORT, OPS_PORT };
    const both = await Promise.all([start(ports), start(ports)]);
    const loser = await Promise.race(both.map(async (it) => it.ended.then(() => it)));
    const winner = both.find((it) => it !== loser);
    expect(loser.output().trim().split("\n"), loser.output()).toHaveLength(1);
    expect(loser.output()).toMatch(new RegExp(`Port ${PORT} is taken.*(PORT|another)`));
    await vi.waitFor(() => expect(winner?.output()).toContain("/fastrtc"), 40_000);
    expect((await fetch(`http://127.0.0.1:${PORT}/readyz`)).status).toBe(200);
    expect(winner?.child.exitCode).toBeNull();
  }, 90_000);

  it.each(["0.0.0.0", "::1", "::", "127.0.0.1"])("notices what listens on its port at %s", async (host) => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, host, resolve));
    const { port } = other.address() as AddressInfo;
    const { ended, output } = await start({ PORT: String(port) });
    expect(await ended).toBe(1);
    expect(output().trim()).toBe(
      `Port ${port} is taken. End what listens there, or choose another: PORT=8010 npm start`,
    );
    other.close();
  });

  it("starts at once on a port whose last connections are still in TIME_WAIT", async () => {
    const server = createServer((socket) => socket.end("bye"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const client = connect(port, "127.0.0.1").resume();
    await once(client, "close");
    await new Promise((resolve) => server.close(resolve));
    const { url } = await ready({ PORT: String(port) });
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  it("says that the provider refuses the key, once and in one sentence, before anything is started", async () => {
    const provider = await startSimulator(defaultSimulatorConfig({ port: 0 }), silentLogger);
    for (const key of ["sk_0123456789abcdef0123", "not-a-key"]) {
      const { ended, output } = await start({ ELEVENLABS_URL: provider.url, ELEVENLABS_API_KEY: key });
      expect(await ended).toBe(1);
      expect(output().trim().split("\n").at(-1)).toMatch(/refuses the key in ELEVENLABS_API_KEY/);
      expect(output().trim().split("\n")).toHaveLength(1);
      expect(output()).not.toContain(key);
    }
    await provider.close();
  });

  it("tells a second start in this folder where the first one runs", async () => {
    const first = await ready();
    const { port } = new URL(first.url);
    const second = await start({ PORT: port });
    expect(await second.ended).toBe(1);
    expect(second.output().trim()).toBe(
      `Port ${port} is taken: tts-labs already runs from this folder, at http://localhost:${port}/fastrtc (process ${first.child.pid}). End it there with Ctrl-C, or start another beside it: PORT=8010 npm start`,
    );
  }, 60_000);

  it("speaks with the first voice of a real account, names it, and names a variable that no program reads", async () => {
    const provider = await startSimulator(
      defaultSimulatorConfig({ port: 0, apiKeys: "sk_real" }),
      silentLogger,
    );
    const { url, output } = await ready({
      ELEVENLABS_URL: provider.url,
      ELEVENLABS_API_KEYS: "sk_real",
      WORKER_CONCURENCY: "3",
    });
    await vi.waitFor(() => expect(output()).toContain("Ctrl-C ends it."));
    const account = await fetch(`${provider.url}/v2/voices`, { headers: { "xi-api-key": "sk_real" } });
    const { voices } = (await account.json()) as { voices: { voice_id: string; name: string }[] };
    expect(output()).toContain(`default voice        ${voices[0]?.name} (${voices[0]?.voice_id})`);
    expect(output()).not.toContain("local simulator");
    expect(output()).toContain("WORKER_CONCURENCY is read by no program. Was WORKER_CONCURRENCY meant?");
    expect(output().match(/WORKER_CONCURENCY/g)).toHaveLength(1);
    const spoken = await fetch(`${url}/api/v1/synthesize`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "audio/pcm" },
      body: '{"text":"With a voice of the account."}',
    });
    expect((await spoken.arrayBuffer()).byteLength).toBeGreaterThan(10_000);
    await provider.close();
  }, 60_000);

  it.each([
    ["--help", 0, /Usage: npm start -- \[options\]/],
    ["--version", 0, /^tts-labs \d+\.\d+\.\d+ \([0-9a-f]{40}\)\n$/],
    ["--verbos", 1, /Did you mean --verbose\?/],
  ])("answers %s and starts nothing", async (argument, code, words) => {
    const { ended, output, child } = await start({}, [argument]);
    expect(await ended).toBe(code);
    expect(output()).toMatch(words);
    expect(childrenOf(child.pid)).toEqual([]);
  });

  it("says in one sentence that the Redis it was given refuses its password", async () => {
    const redis = await startPrivateRedis({ args: ["--requirepass", "right-password"] });
    const { ended, output } = await start({ REDIS_URL: `redis://:wrong-password@127.0.0.1:${redis.port}` });
    expect(await ended).toBe(1);
    expect(output().trim()).toMatch(/^Redis at 127\.0\.0\.1:\d+ refuses the user or password in REDIS_URL/);
    expect(output().trim().split("\n")).toHaveLength(1);
    expect(output()).not.toContain("wrong-password");
    await redis.stop();
  });

  it("names the part that ends by itself and ends the rest", async () => {
    const { child, ended, output } = await ready();
    const parts = childrenOf(child.pid);
    const worker = parts.find((pid) => commandOf(pid).includes("apps/worker"));
    if (worker === undefined) throw new Error("there is no worker");
    process.kill(worker, "SIGKILL");
    expect(await ended).toBe(1);
    expect(output()).toContain("The worker has ended by itself (SIGKILL).");
    expect(parts.filter(lives)).toEqual([]);
  });

  it("says plainly that the port is taken", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const { ended, output } = await start({ PORT: String(port) });
    expect(await ended).toBe(1);
    expect(output()).toContain(`Port ${port} is taken.`);
    other.close();
  });
});
