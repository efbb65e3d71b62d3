import { connect } from "node:net";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";

let alone: EdgeAlone;
beforeAll(async () => {
  alone = await startEdgeAlone({ redisUrl: inject("redisUrl") });
});
afterAll(() => alone.close());

const HEAD =
  "POST /api/v1/synthesize HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{";

/** Sends a byte twice a second. @returns the ms after which the server has closed the connection */
function dribble(): Promise<number> {
  const startedAtMs = performance.now();
  return new Promise((resolve) => {
    const socket = connect(alone.edge.port, "127.0.0.1", () => socket.write(HEAD));
    const timer = setInterval(() => socket.write(" "), 500);
    socket.on("error", () => {});
    socket.on("close", () => {
      clearInterval(timer);
      resolve(performance.now() - startedAtMs);
    });
    socket.resume();
  });
}

test("a body that comes a byte at a time is not waited for, and those beside it are served", async () => {
  const closing = Promise.all(Array.from({ length: 100 }, dribble));
  const response = await fetch(`${alone.edge.url}/api/v1/synthesize`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "audio/pcm" },
    body: JSON.stringify({ text: "Served at once." }),
  });
  expect(response.status).toBe(200);
  await response.arrayBuffer();
  for (const ms of await closing) expect(ms).toBeLessThan(30_000);
  expect(alone.edge.counts().sessions).toBe(0);
}, 60_000);
