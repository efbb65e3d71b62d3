import { randomBytes } from "node:crypto";
import type { Flights } from "@tts-labs/core/cache/flights";
import { MemoryFlights } from "@tts-labs/core/cache/memory-flights";
import { RedisFlights } from "@tts-labs/core/cache/redis-flights";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, openRedis } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { afterEach, expect, test, vi } from "vitest";

/** Flights as two processes have them. */
interface TwoFlights {
  readonly one: Flights;
  readonly other: Flights;
  close(): Promise<void>;
}
type OpenFlights = (ttlMs?: number) => Promise<TwoFlights>;

export const openMemoryFlights: OpenFlights = async (ttlMs) => {
  const flights = new MemoryFlights(ttlMs === undefined ? {} : { ttlMs });
  return { one: flights, other: flights, close: async () => {} };
};

export function redisFlights(url: string): OpenFlights {
  return async (ttlMs) => {
    const keys = new Keys(`test-${randomBytes(6).toString("hex")}`);
    const open = () => openRedis({ url, purpose: "commands", logger: silentLogger });
    const [a, b] = [open(), open()];
    const of = (redis: typeof a) =>
      new RedisFlights({ redis, keys, ...(ttlMs === undefined ? {} : { ttlMs }) });
    const close = async () => {
      await Promise.all([closeRedis(a), closeRedis(b)]);
    };
    return { one: of(a), other: of(b), close };
  };
}

export function flightsContract(openFlights: OpenFlights): void {
  let flights: TwoFlights | undefined;
  const open: OpenFlights = async (ttlMs) => {
    flights = await openFlights(ttlMs);
    return flights;
  };
  afterEach(async () => {
    await flights?.close();
    flights = undefined;
  });
  const leads = { kind: "lead" };
  const joins = (utteranceId: string) => ({ kind: "join", utteranceId });

  test("of any number who board at once exactly one leads, and the others are told whom to join", async () => {
    const { one, other } = await open();
    const boardings = await Promise.all(
      Array.from({ length: 100 }, (_, i) => (i % 2 ? one : other).board("key", `utt_${i}`)),
    );
    const leaders = boardings.flatMap((it, i) => (it.kind === "lead" ? [`utt_${i}`] : []));
    expect(leaders).toHaveLength(1);
    const [leader = ""] = leaders;
    for (const it of boardings) expect([leads, joins(leader)]).toContainEqual(it);
    expect(await other.board("another key", "utt_100")).toEqual(leads);
  });

  test("boarding twice is boarding once", async () => {
    const { one } = await open();
    expect(await one.board("key", "utt_1")).toEqual(leads);
    expect(await one.board("key", "utt_1")).toEqual(leads);
  });

  test("once landed the next one leads; landing twice, or another's, does nothing", async () => {
    const { one, other } = await open();
    await one.board("key", "utt_1");
    await other.land("key", "utt_2");
    expect(await other.board("key", "utt_2")).toEqual(joins("utt_1"));
    await one.land("key", "utt_1");
    expect(await other.board("key", "utt_2")).toEqual(leads);
    await one.land("key", "utt_1");
    expect(await one.board("key", "utt_3")).toEqual(joins("utt_2"));
  });

  test("when the leader fails exactly one of its joiners takes its place", async () => {
    const { one, other } = await open();
    await one.board("key", "utt_0");
    const boardings = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 ? one : other).board("key", `utt_${i + 1}`, "utt_0")),
    );
    expect(boardings.filter(({ kind }) => kind === "lead")).toHaveLength(1);
    expect(await one.renew("key", "utt_0")).toBe("lost");
  });

  test("a leader that nobody has joined may leave, one that is heard by others may not", async () => {
    const { one, other } = await open();
    await one.board("key", "utt_1");
    expect(await one.leave("key", "utt_1")).toBe("alone");
    expect(await other.board("key", "utt_2")).toEqual(leads);
    await one.board("key", "utt_3");
    expect(await other.leave("key", "utt_2")).toBe("joined");
    expect(await one.board("key", "utt_3")).toEqual(joins("utt_2"));
    // A new leader has no joiners yet.
    await one.board("key", "utt_3", "utt_2");
    expect(await one.leave("key", "utt_3")).toBe("alone");
  });

  test("a leader that renews stays, and is told who has joined; one that does not is replaced", async () => {
    const { one, other } = await open(400);
    await one.board("key", "utt_1");
    expect(await one.renew("key", "utt_1")).toBe("alone");
    const began = performance.now();
    await vi.waitFor(
      async () => {
        expect(await other.board("key", "utt_2")).toEqual(joins("utt_1"));
        expect(await one.renew("key", "utt_1")).toBe("joined");
        expect(performance.now() - began).toBeGreaterThan(600);
      },
      { interval: 20, timeout: 3_000 },
    );
    await vi.waitFor(async () => expect(await other.board("key", "utt_2")).toEqual(leads), {
      timeout: 3_000,
    });
    expect(await one.renew("key", "utt_1")).toBe("lost");
  });
}
