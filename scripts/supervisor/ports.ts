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

/** The port somebody asked for; else the usual one while it is free; else any. */
export async function choosePort(asked: string | undefined, usual: number): Promise<number> {
  if (asked) return Number(asked);
  return (await listenProblem(usual, "127.0.0.1")) === undefined ? usual : freePort();
}
