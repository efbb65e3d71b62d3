import { createServer } from "node:net";
import { freePort } from "../private-redis.ts";

/**
 * Why one can't listen there ("EADDRINUSE"), or undefined. To be asked before uWebSockets.js listens, which
 * would share a port with another of its kind without a word.
 */
export function listenProblem(port: number, host: string): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** Addresses that one reaches under one name, of which a browser takes either. */
const THIS_MACHINE: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "::1", "0.0.0.0", "::"]);

/**
 * As `listenProblem`, for a server that people reach by "localhost": what listens at the other family's loopback
 * address would be taken for it.
 */
export async function serverProblem(port: number, host: string): Promise<string | undefined> {
  const problem = await listenProblem(port, host);
  if (problem !== undefined || !THIS_MACHINE.has(host)) return problem;
  for (const other of ["127.0.0.1", "::1"]) {
    // A machine without one of the families has nothing that listens there.
    if ((await listenProblem(port, other)) === "EADDRINUSE") return "EADDRINUSE";
  }
  return undefined;
}

/**
 * Starts what takes the port that was asked for; else the usual one while it is free; else any. Another may take the
 * usual one in between, a second start for one, which is no reason to end.
 * @param start rejects with the sentence of `cannotListen` where the port is taken @returns the port
 */
export async function startOnPort(
  {
    asked,
    usual,
    variable,
  }: { readonly asked: string | undefined; readonly usual: number; readonly variable: string },
  start: (port: string) => Promise<unknown>,
): Promise<string> {
  if (asked) {
    await start(asked);
    return asked;
  }
  if ((await listenProblem(usual, "127.0.0.1")) === undefined) {
    try {
      await start(String(usual));
      return String(usual);
    } catch (error) {
      if (!String(error).includes(`by ${variable}.`)) throw error;
    }
  }
  const free = String(await freePort());
  await start(free);
  return free;
}
