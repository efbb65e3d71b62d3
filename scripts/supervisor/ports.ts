import { createServer } from "node:net";
import { freePort } from "../private-redis.ts";

/** Whether nobody listens there. uWebSockets.js would share a port with another of its kind without a word. */
export function isPortFree(port: number, host: string): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** The port somebody asked for; else the usual one while it is free; else any. */
export async function choosePort(asked: string | undefined, usual: number): Promise<number> {
  if (asked) return Number(asked);
  return (await isPortFree(usual, "127.0.0.1")) ? usual : freePort();
}
