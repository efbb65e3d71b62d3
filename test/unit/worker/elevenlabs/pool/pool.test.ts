import { silentLogger } from "@tts-labs/core/logger";
import { GatewayError } from "@tts-labs/protocol/errors";
import { silentObserver } from "@tts-labs/worker/elevenlabs/observer";
import { DEFAULT_POOL, type PoolOptions, SocketPool } from "@tts-labs/worker/elevenlabs/pool/pool";
import type { SingleUseSocket } from "@tts-labs/worker/elevenlabs/single-use-socket";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { collect, newTestSocket, testRoute } from "../../../../../testkit/provider/provider-socket.ts";
import {
  audioMessage,
  FINAL_MESSAGE,
  type ProviderSession,
  type ScriptedProvider,
  startScriptedProvider,
} from "../../../../../testkit/provider/scripted-provider.ts";

const never = new AbortController().signal;

let provider: ScriptedProvider;
let pool: SocketPool | undefined;
const checkedOut = vi.fn();
const retired = vi.fn();
const full = vi.fn();
let warm = 0;
let connects: number[] = [];

beforeEach(async () => {
  provider = await startScriptedProvider();
  vi.clearAllMocks();
  warm = 0;
  connects = [];
});
afterEach(async () => {
  vi.useRealTimers();
  await pool?.close();
  await provider.close();
});

function openPool(options: Partial<PoolOptions> = {}): SocketPool {
  pool = new SocketPool({
    options: { ...DEFAULT_POOL, staggerMs: 5, backoff: { firstMs: 40, maxMs: 400 }, ...options },
    connect: ({ url, voice }): SingleUseSocket => {
      connects.push(performance.now());
      return newTestSocket(url, {
        route: { voice },
        deadlines: { closeWaitMs: 200, forcedCloseMs: 200, connectMs: 2_000 },
      });
    },
    observer: {
      ...silentObserver,
      checkedOut,
      retired,
      full,
      warm: (count) => {
        warm = count;
      },
    },
    logger: silentLogger,
  });
  return pool;
}

const route = (voice = "voiceA") => testRoute(provider.url, { voice });
const untilWarm = (count: number) => vi.waitUntil(() => warm === count, { timeout: 5_000, interval: 2 });

describe("the pool", () => {
  it("opens sockets ahead once a route is wanted, one after the other, and hands the youngest out", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const it = openPool({ staggerMs: 30 });
    it.prewarm(route());
    for (const opened of [1, 2, 3]) {
      expect(connects).toHaveLength(opened);
      vi.advanceTimersByTime(29);
      expect(connects).toHaveLength(opened);
      vi.advanceTimersByTime(1);
    }
    await untilWarm(3);
    expect(connects).toHaveLength(3);
    const { socket, warm: wasWarm } = await it.open(route(), never);
    expect(wasWarm).toBe(true);
    expect(checkedOut).toHaveBeenLastCalledWith("hit");
    socket.speak("Hi.");
    await provider.sessions[2]?.until(({ text }) => text === "Hi.");
    expect(provider.sessions.map(({ received }) => received.length)).toEqual([1, 1, 2]);
  });

  it("fills up again after a socket was taken, and never hands one out twice", async () => {
    const it = openPool();
    it.prewarm(route());
    await untilWarm(3);
    const taken = new Set<SingleUseSocket>();
    for (let n = 0; n < 12; n += 1) {
      await untilWarm(3);
      taken.add((await it.open(route(), never)).socket);
    }
    expect(taken.size).toBe(12);
    expect(checkedOut.mock.calls.every(([how]) => how === "hit")).toBe(true);
  });

  it("connects fresh when it has none, and when asked to", async () => {
    const it = openPool({ warmPerRoute: 1 });
    expect((await it.open(route(), never)).warm).toBe(false);
    expect((await it.open(route(), never)).warm).toBe(false);
    await untilWarm(1);
    expect((await it.openFresh(route(), never)).warm).toBe(false);
    expect(checkedOut.mock.calls).toEqual([["miss"], ["miss"], ["fresh"]]);
    expect(warm).toBe(1);
  });

  it("never gets a used socket back", async () => {
    provider.onSession = async ({ ended, send }) => {
      await ended();
      send(audioMessage(Buffer.alloc(960)));
      send(FINAL_MESSAGE);
    };
    const it = openPool({ warmPerRoute: 0 });
    const { socket } = await it.open(route(), never);
    socket.speak("Hi.");
    socket.end();
    await collect(socket.events);
    await socket.closed;
    const again = await it.open(route(), never);
    expect(again.socket).not.toBe(socket);
    expect(again.warm).toBe(false);
  });

  it("replaces sockets that have grown old, by timer, while the route is in use", async () => {
    const it = openPool({ warmPerRoute: 1, maxIdleMs: 40 });
    it.prewarm(route());
    await vi.waitUntil(() => provider.sessions.length >= 4, { timeout: 5_000 });
    expect(retired.mock.calls.every(([reason]) => reason === "age")).toBe(true);
  });

  it("does not hand out a socket that is too old, even before the timer has come to it", async () => {
    const it = openPool({ warmPerRoute: 1, maxIdleMs: 60 });
    it.prewarm(route());
    await untilWarm(1);
    const until = performance.now() + 80;
    while (performance.now() < until); // The timer can't run meanwhile.
    expect((await it.open(route(), never)).warm).toBe(false);
    expect(retired).toHaveBeenCalledWith("age");
  });

  it("lets an unused route decay to nothing", async () => {
    const it = openPool({ keepRouteMs: 600, maxIdleMs: 700 });
    it.prewarm(route());
    await untilWarm(3);
    await untilWarm(0);
    expect(retired).toHaveBeenCalledWith("unused");
    const before = connects.length;
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(connects).toHaveLength(before);
  });

  it("notices when an idle socket dies, and replaces it after a pause", async () => {
    let droppedAt: number | undefined;
    provider.onSession = ({ drop }) => {
      if (droppedAt !== undefined) return;
      droppedAt = Number.POSITIVE_INFINITY;
      setTimeout(() => {
        droppedAt = performance.now();
        drop();
      }, 20);
    };
    const it = openPool({ warmPerRoute: 1 });
    it.prewarm(route());
    await vi.waitUntil(() => retired.mock.calls.length > 0);
    expect(retired).toHaveBeenCalledWith("failed");
    await untilWarm(1);
    expect(connects[1]).toBeGreaterThanOrEqual((droppedAt ?? 0) + 20);
  });

  it("stops opening ahead when the key is wrong; an utterance is told so by trying afresh", async () => {
    provider.onSession = ({ send, socket }: ProviderSession) => {
      send({ error: "invalid_api_key", message: "Invalid API key", code: 1008 });
      socket.close(1008, "Invalid API key");
    };
    const it = openPool();
    it.prewarm(route());
    await vi.waitUntil(() => provider.sessions.length >= 1);
    await vi.waitUntil(() => warm === 0 && connects.length > 0);
    await Promise.all(provider.sessions.map(({ closed }) => closed));
    const settled = connects.length;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(connects).toHaveLength(settled);
    expect(settled).toBeLessThanOrEqual(3);
    const utterance = async () => {
      const { socket } = await it.open(route(), never);
      socket.speak("Hi.");
      socket.end();
      throw (await collect(socket.events)).error;
    };
    await expect(utterance()).rejects.toMatchObject({ code: "provider.invalid_key", retryable: false });
  });

  it("backs off when the provider can't be reached, and recovers when it can", async () => {
    let down = true;
    provider.onUpgrade = () => (down ? { status: 503, body: "" } : undefined);
    const it = openPool({ warmPerRoute: 1, staggerMs: 1 });
    it.prewarm(route());
    await vi.waitUntil(() => connects.length >= 4, { timeout: 5_000 });
    const gaps = connects.slice(1).map((at, i) => at - (connects[i] ?? 0));
    // Half to all of 40, 80, 160 ms.
    expect(gaps[0]).toBeGreaterThanOrEqual(19);
    expect(gaps[1]).toBeGreaterThanOrEqual(39);
    expect(gaps[2]).toBeGreaterThanOrEqual(79);
    await expect(it.open(route(), never)).rejects.toMatchObject({ code: "provider.overloaded" });
    down = false;
    await untilWarm(1);
    expect((await it.open(route(), never)).warm).toBe(true);
  });

  it("keeps at most so many routes, and lets the one used least go", async () => {
    const it = openPool({ warmPerRoute: 1, maxRoutes: 2 });
    for (const voice of ["a", "b"]) it.prewarm(route(voice));
    await untilWarm(2);
    it.prewarm(route("a"));
    it.prewarm(route("c"));
    expect(full).toHaveBeenCalledWith("routes");
    expect(retired).toHaveBeenCalledWith("evicted");
    await untilWarm(2);
    expect((await it.open(route("a"), never)).warm).toBe(true);
    expect((await it.open(route("b"), never)).warm).toBe(false);
  });

  it("keeps at most so many sockets, and gives a wanted route the place of one unused for longer", async () => {
    const it = openPool({ warmPerRoute: 2, maxSockets: 3 });
    it.prewarm(route("a"));
    await untilWarm(2);
    it.prewarm(route("b"));
    await vi.waitUntil(() => retired.mock.calls.some(([reason]) => reason === "evicted"));
    await untilWarm(3);
    expect(full).toHaveBeenCalledWith("sockets");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(warm).toBe(3);
    expect((await it.open(route("b"), never)).warm).toBe(true);
  });

  it("opening can be given up; the reason is thrown and the socket goes", async () => {
    provider.onUpgrade = () => "stall";
    const it = openPool({ warmPerRoute: 0 });
    const controller = new AbortController();
    const opening = it.open(route(), controller.signal);
    const reason = new GatewayError("cancelled.by_client");
    controller.abort(reason);
    await expect(opening).rejects.toBe(reason);
    await expect(it.open(route(), controller.signal)).rejects.toBe(reason);
  });

  it("closed twice ends every socket, those in use too, and opens no more", async () => {
    const it = openPool();
    const { socket } = await it.open(route(), never);
    it.prewarm(route());
    await untilWarm(3);
    const [collected] = await Promise.all([collect(socket.events), it.close(), it.close()]);
    expect(collected.error).toMatchObject({ code: "draining" });
    expect(warm).toBe(0);
    await Promise.all(provider.sessions.map(({ closed }) => closed));
    await expect(it.open(route(), never)).rejects.toMatchObject({ code: "draining" });
    it.prewarm(route());
    expect(provider.sessions).toHaveLength(4);
  });
});
