import { settleable } from "@tts-labs/core/async/settleable";
import { silentLogger } from "@tts-labs/core/logger";
import { silentObserver } from "@tts-labs/worker/elevenlabs/observer";
import { DEFAULT_POOL, type PoolOptions, SocketPool } from "@tts-labs/worker/elevenlabs/pool/pool";
import type { Route } from "@tts-labs/worker/elevenlabs/route";
import type { SingleUseSocket } from "@tts-labs/worker/elevenlabs/single-use-socket";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

/** Routes with settings that are seldom or never used again, on a clock of the test and sockets made of nothing. */
const never = new AbortController().signal;

interface Opened {
  readonly route: Route;
  readonly isRetired: boolean;
}

let pool: SocketPool;
let opened: { route: Route; isRetired: boolean }[] = [];
const full = vi.fn();

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  opened = [];
  vi.clearAllMocks();
});
afterEach(async () => {
  await pool.close();
  vi.useRealTimers();
});

/** Connects at once and speaks as long as it is let. */
function fakeSocket(route: Route): SingleUseSocket {
  const ended = settleable<unknown>();
  const entry = { route, isRetired: false };
  opened.push(entry);
  const finish = () => {
    entry.isRetired = true;
    ended.resolve({ kind: "retired" });
  };
  return {
    route,
    openedAtMs: performance.now(),
    connectingSinceMs: performance.now(),
    opened: Promise.resolve(),
    ended: ended.promise,
    closed: ended.promise,
    state: { kind: "warm" },
    checkOut: () => true,
    claim: () => true,
    retire: finish,
    abort: finish,
    bePatient: () => {},
  } as unknown as SingleUseSocket;
}

function openPool(options: Partial<PoolOptions> = {}): SocketPool {
  pool = new SocketPool({
    options: { ...DEFAULT_POOL, ...options },
    connect: fakeSocket,
    observer: { ...silentObserver, full },
    logger: silentLogger,
  });
  return pool;
}

const toRoute = (seed: number, inactivityTimeoutS = 180): Route => ({
  url: "http://provider",
  keyId: "test",
  voice: "v",
  model: "m",
  autoMode: false,
  sampleRateHz: 24_000,
  inactivityTimeoutS,
  seed,
});
const connectionsOf = (seed: number) => opened.filter(({ route }) => route.seed === seed);
const areLeft = ({ isRetired }: Opened) => !isRetired;
/** In steps, since a socket opens by a promise. */
const pass = async (ms: number) => {
  for (let past = 0; past < ms; past += 500) await vi.advanceTimersByTimeAsync(Math.min(500, ms - past));
};

describe("a route that is used once", () => {
  it("costs the provider one connection", async () => {
    await openPool().open(toRoute(1), never);
    await pass(120_000);
    expect(connectionsOf(1)).toHaveLength(1);
  });

  it("costs one, too, where it waited for a slot first", async () => {
    openPool().expect(toRoute(1), 1);
    await pool.open(toRoute(1), never);
    pool.expect(toRoute(1), 0);
    await pass(120_000);
    expect(connectionsOf(1)).toHaveLength(1);
  });

  it("is kept warm from its second use within its time, not after it", async () => {
    const { keepRouteMs } = DEFAULT_POOL;
    await openPool().open(toRoute(1), never);
    await pass(keepRouteMs + 1_000);
    await pool.open(toRoute(1), never);
    await pass(5_000);
    expect(connectionsOf(1)).toHaveLength(2);
    await pool.open(toRoute(1), never);
    await pass(5_000);
    expect(connectionsOf(1)).toHaveLength(3 + DEFAULT_POOL.warmPerRoute);
  });

  it("is kept warm at once when asked for", async () => {
    openPool().prewarm(toRoute(1));
    await pass(1_000);
    expect(connectionsOf(1)).toHaveLength(DEFAULT_POOL.warmPerRoute);
  });

  it("costs more than ten where sockets are opened ahead and renewed every 15 s (negative twin)", async () => {
    openPool({ maxIdleMs: 15_000 }).prewarm(toRoute(1));
    await pool.open(toRoute(1), never);
    await pass(120_000);
    expect(connectionsOf(1).length).toBeGreaterThan(10);
  });
});

describe("a warm socket", () => {
  it.each([
    [180, 60_000],
    [20, 15_000],
    [60, 20_000],
    [4, 3_000],
  ])("under an idle limit of %i s is replaced after %i ms", async (inactivityTimeoutS, maxIdleMs) => {
    openPool({ warmPerRoute: 1, keepRouteMs: 600_000 }).prewarm(toRoute(1, inactivityTimeoutS));
    await pass(maxIdleMs - 1);
    expect(opened).toHaveLength(1);
    await pass(2_000);
    expect(opened.map(areLeft)).toEqual([false, true]);
  });

  it("is never older than its limit allows, whatever is configured", async () => {
    openPool({ warmPerRoute: 1, keepRouteMs: 600_000, maxIdleMs: 60_000 }).prewarm(toRoute(1, 20));
    await pass(19_000);
    expect(opened.map(areLeft)).toEqual([false, true]);
  });
});

describe("very many routes", () => {
  it("that are used once leave those in use alone, and no map grows", async () => {
    openPool().prewarm(toRoute(0));
    await pass(2_000);
    for (let seed = 1; seed <= 5_000; seed++) await pool.open(toRoute(seed), never);
    expect(opened).toHaveLength(DEFAULT_POOL.warmPerRoute + 5_000);
    expect(connectionsOf(0).every(areLeft)).toBe(true);
    expect(full).toHaveBeenCalledWith("remembered");
    expect(pool.remembered).toEqual({ used: DEFAULT_POOL.maxRemembered, warm: 1 });
  });

  it("that are used twice each do not push out one in steady use", async () => {
    openPool();
    for (let i = 0; i < 5; i++) await pool.open(toRoute(0), never);
    await pass(2_000);
    const { warm } = await pool.open(toRoute(0), never);
    expect(warm).toBe(true);
    for (let seed = 1; seed <= 500; seed++) {
      await pool.open(toRoute(seed), never);
      await pool.open(toRoute(seed), never);
      await pass(20);
    }
    expect(pool.remembered.warm).toBe(DEFAULT_POOL.maxRoutes);
    expect((await pool.open(toRoute(0), never)).warm).toBe(true);
  });

  it("that are asked for again and again hold no more than the bounds allow", async () => {
    openPool();
    for (let seed = 0; seed < 500; seed++) {
      pool.prewarm(toRoute(seed));
      await pass(50);
    }
    const { maxRoutes, maxSockets } = DEFAULT_POOL;
    expect(pool.remembered.warm).toBe(maxRoutes);
    expect(opened.filter(areLeft).length).toBeLessThanOrEqual(maxSockets);
  });
});
