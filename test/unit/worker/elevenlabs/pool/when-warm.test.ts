import { silentLogger } from "@tts-labs/core/logger";
import { GatewayError } from "@tts-labs/protocol/errors";
import { silentObserver } from "@tts-labs/worker/elevenlabs/observer";
import { DEFAULT_POOL, type PoolOptions, SocketPool } from "@tts-labs/worker/elevenlabs/pool/pool";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newTestSocket, testRoute } from "../../../../../testkit/provider/provider-socket.ts";
import {
  type ScriptedProvider,
  startScriptedProvider,
} from "../../../../../testkit/provider/scripted-provider.ts";

const never = new AbortController().signal;

let provider: ScriptedProvider;
let pool: SocketPool;

beforeEach(async () => {
  provider = await startScriptedProvider();
});
afterEach(async () => {
  await pool.close();
  await provider.close();
});

function openPool(options: Partial<PoolOptions> = {}): SocketPool {
  pool = new SocketPool({
    options: { ...DEFAULT_POOL, warmPerRoute: 1, backoff: { firstMs: 20, maxMs: 20 }, ...options },
    connect: ({ url, voice }) =>
      newTestSocket(url, { route: { voice }, deadlines: { closeWaitMs: 200, forcedCloseMs: 200 } }),
    observer: silentObserver,
    logger: silentLogger,
  });
  return pool;
}

const route = (voice = "voiceA") => testRoute(provider.url, { voice });

describe("waiting for a warm route", () => {
  it("ends with the time to connect, at once where it is warm already", async () => {
    const it = openPool();
    const first = await it.whenWarm(route(), never);
    expect(first).toBeGreaterThan(0);
    expect(await it.whenWarm(route(), never)).toBe(first);
    expect(provider.sessions).toHaveLength(1);
  });

  it("ends with the refusal of a provider that accepts the connection first", async () => {
    provider.onSession = ({ send, socket }) => {
      send({ error: "voice_id_does_not_exist", message: "No voice.", code: 1008 });
      socket.close(1008, "No voice.");
    };
    await expect(openPool().whenWarm(route(), never)).rejects.toMatchObject({
      code: "provider.voice_not_found",
    });
  });

  it("goes on over a failure that passes, and tells it where time is up", async () => {
    let refusals = 2;
    provider.onUpgrade = () => (refusals-- > 0 ? { status: 503, body: "" } : undefined);
    expect(await openPool().whenWarm(route(), never)).toBeGreaterThan(0);
    refusals = Number.POSITIVE_INFINITY;
    const late = new AbortController();
    const waiting = pool.whenWarm(route("voiceB"), late.signal);
    await expect.poll(() => refusals === Number.POSITIVE_INFINITY && provider.sessions.length).toBe(1);
    setTimeout(() => late.abort(new GatewayError("provider.connect_timeout")), 100);
    await expect(waiting).rejects.toMatchObject({ retryable: true });
  });

  it("is refused where the pool keeps nothing warm, and ends with the pool", async () => {
    await expect(openPool({ warmPerRoute: 0 }).whenWarm(route(), never)).rejects.toMatchObject({
      code: "capacity.overloaded",
    });
    provider.onUpgrade = () => "stall";
    const waiting = openPool().whenWarm(route(), never);
    await Promise.all([pool.close(), expect(waiting).rejects.toMatchObject({ code: "capacity.overloaded" })]);
  });
});
