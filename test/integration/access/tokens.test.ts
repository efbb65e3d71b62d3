import { type AddressInfo, connect as connectTo, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { SpeechClient } from "@tts-labs/client/speech-client";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from "vitest";
import { WebSocket } from "ws";
import { type KeyedEdges, type MadeKey, startKeyedEdges } from "../../../testkit/access/keyed-edges.ts";
import { NativeClient } from "../../../testkit/clients/native-client.ts";

const PAGE = "https://app.example.com";
let edges: KeyedEdges;
let acme: MadeKey;
beforeAll(async () => {
  edges = await startKeyedEdges({ redisUrl: inject("redisUrl"), edge: { allowedOrigins: ["*"] } });
  acme = await edges.makeKey("acme");
});
afterAll(() => edges.close());

const ask = (
  path: string,
  body: object,
  headers: Readonly<Record<string, string>> = {},
  url = edges.edge.url,
) =>
  fetch(`${url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "audio/pcm", ...headers },
    body: JSON.stringify(body),
  });

async function mint(wish: object = {}, key = acme): Promise<string> {
  const response = await ask("/api/v1/tokens", wish, key.headers);
  expect(response.status).toBe(201);
  return ((await response.json()) as { token: string }).token;
}

async function connect(query: Readonly<Record<string, string>>, url = edges.edge.url, headers = {}) {
  const client = await NativeClient.connect(url, query, { headers });
  onTestFinished(() => client.close());
  return client;
}

/** A socket that shows nothing when it connects; what is told to it, and how it ends. */
function openBare(query = ""): { socket: WebSocket; told: object[]; closed: Promise<number> } {
  const socket = new WebSocket(`${edges.edge.url.replace("http", "ws")}/api/v1/stream${query}`);
  onTestFinished(() => socket.terminate());
  const told: object[] = [];
  socket.on("message", (data, isBinary) => {
    if (!isBinary) told.push(JSON.parse(String(data)));
  });
  return { socket, told, closed: new Promise((resolve) => socket.on("close", resolve)) };
}

const isOpen = (socket: WebSocket) =>
  vi.waitFor(() => expect(socket.readyState).toBe(WebSocket.OPEN), { timeout: 5_000 });

describe("a browser token", () => {
  test("opens one WebSocket on any edge, and no second one", async () => {
    const token = await mint();
    const client = await connect({ token }, edges.other.url);
    expect((await client.speak("Hello.")).end.type).toBe("stream_complete");
    for (const url of edges.urls) {
      await expect(NativeClient.connect(url, { token })).rejects.toThrow("401 authentication.invalid");
    }
  });

  test("is spent once, however many use it at the same time", async () => {
    const token = await mint({ purpose: "synthesize" });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        ask(`/api/v1/synthesize?token=${token}`, { text: "One of us." }, {}, edges.urls[i % 2]),
      ),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([200, ...new Array(19).fill(401)]);
    await Promise.all(answers.map((it) => it.arrayBuffer()));
  });

  test("is good for its purpose only, and spent by the attempt", async () => {
    const token = await mint({ purpose: "listen" });
    await expect(NativeClient.connect(edges.edge.url, { token })).rejects.toThrow(
      "403 authentication.forbidden",
    );
    const again = await ask(`/api/v1/synthesize?token=${token}`, { text: "Again." });
    expect(again.status).toBe(401);
  });

  test("is good for its page only", async () => {
    const wish = { origin: PAGE };
    const [own, stolen, bare] = [await mint(wish), await mint(wish), await mint(wish)];
    await connect({ token: own }, edges.edge.url, { origin: PAGE });
    const elsewhere = { headers: { origin: "https://evil.example" } };
    await expect(NativeClient.connect(edges.edge.url, { token: stolen }, elsewhere)).rejects.toThrow("403");
    await expect(NativeClient.connect(edges.edge.url, { token: bare })).rejects.toThrow("403");
  });

  test("expires", async () => {
    const token = await mint({ expires_in_s: 1 });
    await sleep(1_100);
    await expect(NativeClient.connect(edges.edge.url, { token })).rejects.toThrow("401");
  });

  test("ends with the key that has made it: before its use, and in it", async () => {
    const key = await edges.makeKey("acme");
    const [unused, used] = [await mint({}, key), await mint({}, key)];
    const client = await connect({ token: used });
    await edges.store.revoke(key.id);
    expect((await client.closed).code).toBe(4503);
    await expect(NativeClient.connect(edges.edge.url, { token: unused })).rejects.toThrow("401");
  });

  test("does not make tokens: that takes a key", async () => {
    const token = await mint({ purpose: "synthesize" });
    expect((await ask(`/api/v1/tokens?token=${token}`, {})).status).toBe(403);
    expect((await ask("/api/v1/tokens", {})).status).toBe(401);
  });

  test.each([
    [{ purpose: "everything" }],
    [{ expires_in_s: 3_600 }],
    [{ origin: "app.example.com/page" }],
    [{ more: true }],
  ])("is not made for %j", async (wish) => {
    const response = await ask("/api/v1/tokens", wish, acme.headers);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: { code: string } }).error.code).toBe(
      "protocol.invalid_message",
    );
  });

  test("may come in the first message, where the address is not to hold it", async () => {
    const { socket, told } = openBare();
    const token = await mint();
    await isOpen(socket);
    socket.send(JSON.stringify({ type: "authenticate", token }));
    await vi.waitFor(() => expect(told).toMatchObject([{ type: "connected" }]), 5_000);
    socket.send(JSON.stringify({ type: "text", text: "Hello.", end: true }));
    await vi.waitFor(() => expect(told.at(-1)).toMatchObject({ type: "stream_complete" }), 5_000);
    expect(JSON.stringify(told)).not.toContain(token);
  });

  test("comes before resume, and never lets one tenant resume another's session", async () => {
    const mine = await connect({ token: await mint(), session_id: "call" });
    const { resume_token } = mine.connected;
    await mine.terminate();
    const other = await edges.makeKey("other");
    const resume = { type: "resume", resume_token };
    for (const [key, answer] of [
      [other, { type: "error", code: "session.unknown" }],
      [acme, { type: "connected", resumed: true }],
    ] as const) {
      const { socket, told } = openBare("?resume=true&session_id=call");
      const token = await mint({}, key);
      await isOpen(socket);
      socket.send(JSON.stringify({ type: "authenticate", token }));
      socket.send(JSON.stringify(resume));
      await vi.waitFor(() => expect(told[0]).toMatchObject(answer), 5_000);
    }
  });

  test("is waited for, and nothing else is taken before it", async () => {
    const { socket, told, closed } = openBare();
    await isOpen(socket);
    socket.send(JSON.stringify({ type: "text", text: "Let me in.", end: true }));
    expect(await closed).toBe(4501);
    expect(told).toMatchObject([{ type: "error", code: "authentication.missing" }]);
  });

  test("is not waited for longer than 5 s", async () => {
    const startedAtMs = performance.now();
    expect(await openBare().closed).toBe(4501);
    expect(performance.now() - startedAtMs).toBeGreaterThan(4_500);
  });
});

describe("a page's client", () => {
  test("gets a token for each of its connections, also when it comes back on another edge", async () => {
    let minted = 0;
    const token = () => {
      minted++;
      return mint();
    };
    const proxy = await openCuttable(edges.edge.port);
    onTestFinished(() => proxy.close());
    const urls = [`http://127.0.0.1:${proxy.port}`, edges.other.url];
    const client = await SpeechClient.connect({ url: urls, token });
    onTestFinished(async () => void (await client.close()));
    await client.speak("Before the cut.").finished;
    proxy.close();
    await client.speak("After the cut, on another edge.").finished;
    expect(minted).toBeGreaterThanOrEqual(2);
  });

  test("says that no token could be had", async () => {
    const token = () => Promise.reject(new Error("the page's server is away"));
    const connecting = SpeechClient.connect({ url: edges.edge.url, token });
    await expect(connecting).rejects.toMatchObject({ code: "client.connect_failed" });
  });
});

/** A way to a port that can be cut. */
async function openCuttable(port: number) {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connectTo(port, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("error", () => {});
      one.on("close", () => other.destroy());
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
