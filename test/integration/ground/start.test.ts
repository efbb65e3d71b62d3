import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { freePort } from "../../../scripts/private-redis.ts";
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

async function start(env: NodeJS.ProcessEnv = {}): Promise<Start> {
  const port = await freePort();
  const child = spawn(process.execPath, [join(root, "scripts", "start.ts")], {
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

async function ready(): Promise<Start> {
  const run = await start();
  await vi.waitFor(() => expect(run.output()).toContain("/fastrtc"), 20_000);
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

  it("killed with -9 it leaves nothing either", async () => {
    const { child, ended } = await ready();
    const parts = childrenOf(child.pid);
    expect(parts).toHaveLength(4);
    child.kill("SIGKILL");
    await ended;
    await vi.waitFor(() => expect(parts.filter(lives)).toEqual([]), 10_000);
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
