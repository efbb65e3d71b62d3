import { accessSync, constants } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, spawnWithParent } from "../../private-redis.ts";

export interface Haproxy {
  readonly port: number;
  close(): Promise<void>;
}

const UP_WITHIN_MS = 5_000;

/** The first `haproxy` on PATH, if any. */
export function findHaproxy(): string | undefined {
  const paths = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "haproxy"));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** As in production: fewest connections first, edges asked for /readyz four times a second. */
export function haproxyConfig(port: number, edges: readonly { readonly host: string }[]): string {
  return `
global
  maxconn 4000
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  timeout tunnel 1h
  timeout client-fin 5s
  option redispatch
frontend clients
  bind 127.0.0.1:${port}
  default_backend edges
backend edges
  balance leastconn
  option httpchk
  # uWebSockets.js answers 505 to anything older than HTTP/1.1.
  http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host 127.0.0.1
  http-check expect status 200
  http-check disable-on-404
  default-server check inter 250ms fall 2 rise 1
${edges.map(({ host }, i) => `  server edge${i + 1} ${host}`).join("\n")}
`;
}

/**
 * Runs HAProxy on a free port of 127.0.0.1.
 * @param toConfig its configuration for that port
 * @throws Error with its own words when it does not come up within 5 s
 */
export async function startHaproxy(binary: string, toConfig: (port: number) => string): Promise<Haproxy> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "tts-labs-haproxy-"));
  const file = join(folder, "haproxy.cfg");
  await writeFile(file, toConfig(port));
  const child = spawnWithParent(binary, ["-db", "-f", file]);
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000);
  });
  child.stdout?.resume();
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const close = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await closed;
    await rm(folder, { recursive: true, force: true });
  };
  const deadlineMs = performance.now() + UP_WITHIN_MS;
  while (!(await listens(port))) {
    if (child.exitCode !== null || performance.now() > deadlineMs) {
      await close();
      throw new Error(`haproxy did not come up:\n${said}`);
    }
    await sleep(50);
  }
  return { port, close };
}

function listens(port: number): Promise<boolean> {
  const socket = createConnection(port, "127.0.0.1");
  return new Promise((resolve) => {
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
