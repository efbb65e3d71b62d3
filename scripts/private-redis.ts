import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { makeRedisFolder, SOCKET_FILE } from "./private-redis-folder.ts";

/**
 * A `redis-server` of one's own: no persistence, data in a temporary folder, and on Linux it dies with its parent even
 * when that is killed with -9.
 */
export interface PrivateRedis {
  readonly url: string;
  /** 0 where it listens on none. */
  readonly port: number;
  readonly pid: number;
  /** Resolves when the process has ended, for whatever reason. */
  readonly closed: Promise<void>;
  /** Ends the process and removes its folder, where that is its own. May be called twice. */
  stop(): Promise<void>;
}

/**
 * What the audio cache may take of a private Redis, which shares a laptop with everything else: 23 minutes of speech.
 */
export const PRIVATE_CACHE_MAX_BYTES: number = 64 * 1024 * 1024;

/**
 * jemalloc, with which redis-server is usually built, keeps freed pages for 10 s; a laptop has better use for what a
 * hundred streams have left. Other allocators do not read it.
 */
const QUICK_RETURN = "dirty_decay_ms:200,muzzy_decay_ms:0";

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port could be had");
  return address.port;
}

export interface SpawnWithParentOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: "SIGTERM" | "SIGKILL";
  /** A Node.js program may send messages. */
  readonly channel?: boolean;
}

/**
 * Spawns `command` so that the kernel ends it with its parent (by `signal`), where the kernel can. It is then
 * in a process group of its own: Ctrl-C in a terminal reaches the parent alone, which ends it in good order.
 * To be called on the main thread: to the kernel, the parent is the thread.
 */
export function spawnWithParent(
  command: string,
  args: readonly string[],
  { env = process.env, signal = "SIGTERM", channel = false }: SpawnWithParentOptions = {},
): ChildProcess {
  const options: SpawnOptions = {
    env,
    stdio: ["ignore", "pipe", "pipe", ...(channel ? ["ipc" as const] : [])],
  };
  return process.platform === "linux"
    ? spawn("setpriv", ["--pdeathsig", signal, command, ...args], { ...options, detached: true })
    : spawn(command, args, options);
}

export interface PrivateRedisOptions {
  /**
   * "socket": a Unix socket in a folder that only this user can enter, and no port. Default "tcp": a loopback port,
   * which every user of the machine can reach; for tests.
   */
  readonly over?: "tcp" | "socket";
  /** Of "tcp"; default: a free one. */
  readonly port?: number;
  /** DEBUG is allowed, for tests that make the server stand still. */
  readonly debug?: boolean;
  /** Added to the command line, where the last word counts. */
  readonly args?: readonly string[];
  /** The caller's folder for its data, which stays when the server ends; default: one of its own. */
  readonly dir?: string;
}

/** @throws Error with the server's own words when it does not come up within 10 s */
export async function startPrivateRedis(options: PrivateRedisOptions = {}): Promise<PrivateRedis> {
  const { over = "tcp" } = options;
  const port = over === "socket" ? 0 : (options.port ?? (await freePort()));
  const dir = options.dir ?? (await makeRedisFolder());
  const socketPath = join(dir, SOCKET_FILE);
  const removeOwnDir = () =>
    options.dir === undefined ? rm(dir, { recursive: true, force: true }) : undefined;
  const binary = process.env["REDIS_SERVER_BIN"] ?? "redis-server";
  const args = [
    ...["--port", String(port), "--bind", "127.0.0.1", "--dir", dir],
    ...(over === "socket" ? ["--unixsocket", socketPath, "--unixsocketperm", "700"] : []),
    ...["--save", "", "--appendonly", "no", "--enable-debug-command", options.debug ? "yes" : "no"],
    ...(options.args ?? []),
  ];
  const child = spawnWithParent(binary, args, { env: { MALLOC_CONF: QUICK_RETURN, ...process.env } });
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    const force = setTimeout(() => child.kill("SIGKILL"), 3_000);
    await closed;
    clearTimeout(force);
    await removeOwnDir();
  };
  let output = "";
  try {
    await new Promise<void>((resolve, reject) => {
      const limit = setTimeout(
        () => reject(new Error(`redis-server did not come up in 10 s:\n${output}`)),
        10_000,
      );
      const onOutput = (chunk: Buffer) => {
        output += chunk.toString();
        // Of a socket it says "The server is now ready to accept connections at …".
        if (!/ready to accept connections/i.test(output)) return;
        clearTimeout(limit);
        resolve();
      };
      child.stdout?.on("data", onOutput);
      child.stderr?.on("data", onOutput);
      child.once("error", (error) => reject(new Error(`${binary} can't be started: ${error.message}`)));
      child.once("close", () => reject(new Error(`redis-server ended at once:\n${output}`)));
    });
  } catch (error) {
    child.kill("SIGKILL");
    await removeOwnDir();
    throw error;
  }
  const url = over === "socket" ? `unix://${socketPath}` : `redis://127.0.0.1:${port}`;
  return { url, port, pid: child.pid ?? 0, closed, stop };
}
