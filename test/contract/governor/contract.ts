import { setTimeout as pause } from "node:timers/promises";
import type { SlotLease } from "@tts-labs/core/governor/governor";
import type { Turn } from "@tts-labs/core/governor/slots-record";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Random } from "../../../testkit/ground/random.ts";
import { acquire, Fleet, type Member } from "./fleet.ts";

/** What a governor promises over any Redis. */
export function governorContract(url: () => string): void {
  let fleet: Fleet;
  beforeEach(() => {
    fleet = new Fleet(url());
  });
  afterEach(() => fleet.close());

  test("no more hold a slot than there are, whichever process they are in", async () => {
    const members = await Promise.all([fleet.join(2), fleet.join(2)]);
    const held: SlotLease[] = [];
    const all = [0, 1, 0, 1, 0].map((i) => acquire(members[i] as Member).then((it) => held.push(it)));
    await vi.waitFor(() => expect(held.length).toBe(2));
    for (let had = 2; had < 5; had++) {
      held[had - 2]?.release();
      await vi.waitFor(() => expect(held.length).toBe(had + 1));
    }
    await Promise.all(all);
  });

  test("slots are given in the order in which they were asked for, across processes", async () => {
    const members = await Promise.all([fleet.join(1), fleet.join(1), fleet.join(1)]);
    const first = await acquire(members[0] as Member);
    const order: number[] = [];
    const all: Promise<void>[] = [];
    for (let i = 0; i < 9; i++) {
      const queued = (members[0] as Member).queued();
      all.push(
        acquire(members[i % 3] as Member).then((slot) => {
          order.push(i);
          slot.release();
        }),
      );
      const before = await queued;
      await vi.waitFor(async () => expect(await (members[0] as Member).queued()).toBe(before + 1));
    }
    first.release();
    await Promise.all(all);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("who has waited elsewhere goes before who has just come; a clock that is wrong by hours gains a minute", async () => {
    const [one, other] = await Promise.all([fleet.join(1), fleet.join(1)]);
    const first = await acquire(one);
    const order: string[] = [];
    const join = async (member: Member, name: string, ageMs: number) => {
      const before = await member.queued();
      const served = acquire(member, undefined, ageMs).then((slot) => {
        order.push(name);
        slot.release();
      });
      await vi.waitFor(async () => expect(await member.queued()).toBe(before + 1));
      return { served };
    };
    const all = [
      await join(one, "just come", 0),
      await join(other, "wrong clock", 7_200_000),
      await join(one, "from the future", -7_200_000),
      await join(other, "taken over", 59_000),
    ];
    first.release();
    await Promise.all(all.map(({ served }) => served));
    expect(order).toEqual(["wrong clock", "taken over", "just come", "from the future"]);
  });

  /** The tenants served one after the other by one slot, where all of them have come before it is free. */
  async function servedInTurn(coming: readonly (Turn | undefined)[]): Promise<string> {
    const [one, other] = await Promise.all([fleet.join(1), fleet.join(1)]);
    const first = await acquire(one);
    const order: string[] = [];
    const all: Promise<void>[] = [];
    for (const [i, turn] of coming.entries()) {
      const { governor } = i % 2 === 0 ? one : other;
      const served = governor.acquire(new AbortController().signal, 0, turn).then((slot) => {
        order.push(turn?.tenant ?? String(i));
        slot.release();
      });
      all.push(served);
      await vi.waitFor(async () => expect(await one.queued()).toBe(i + 1));
    }
    first.release();
    await Promise.all(all);
    return order.join(" ");
  }
  const many = (count: number, tenant: string, weight = 1) =>
    Array.from({ length: count }, (): Turn => ({ tenant, weight }));

  test("a tenant that comes behind another's crowd takes turns with it from then on", async () => {
    expect(await servedInTurn([...many(8, "a"), ...many(3, "b")])).toBe("a b a b a b a a a a a");
  });

  test("turns go by weight", async () => {
    const order = await servedInTurn([...many(6, "light"), ...many(9, "heavy", 3)]);
    const [early, heavy] = [order.split(" ").slice(0, 8), (it: string) => it === "heavy"];
    expect(early.filter(heavy)).toHaveLength(6);
    expect(order.split(" ").slice(8).filter(heavy)).toHaveLength(3);
  });

  test("without tenants the crowd that came first is served first (the twin)", async () => {
    expect(await servedInTurn(new Array(6).fill(undefined))).toBe("0 1 2 3 4 5");
  });

  test("a tenant that gives up waiting leaves no turn behind, and one that was away has saved none", async () => {
    const member = await fleet.join(1);
    const first = await acquire(member);
    const gone = new AbortController();
    const waiting = member.governor.acquire(gone.signal, 0, { tenant: "gone", weight: 1 });
    await vi.waitFor(async () => expect(await member.queued()).toBe(1));
    gone.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    await vi.waitFor(async () => expect(await member.queued()).toBe(0));
    const left = await member.redis.zcard(fleet.keys.slots("provider", "key1:lanes"));
    expect([left, await member.redis.hlen(fleet.keys.slots("provider", "key1:owners"))]).toEqual([0, 0]);
    first.release();
    for (let i = 0; i < 5; i++) {
      const slot = await member.governor.acquire(new AbortController().signal, 0, {
        tenant: "busy",
        weight: 1,
      });
      slot.release();
    }
    const order = await servedInTurn([...many(3, "late"), ...many(3, "busy")]);
    expect(order).toMatch(/^(late busy ){2}late busy$|^(busy late ){2}busy late$/);
  });

  test("a slot given back is somebody else's at once, woken by the bell", async () => {
    const settings = { renewEveryMs: 60_000, leaseMs: 120_000 };
    const [one, other] = await Promise.all([fleet.join(1, { settings }), fleet.join(1, { settings })]);
    const waits: number[] = [];
    let slot = await acquire(one);
    for (let i = 0; i < 20; i++) {
      const next = acquire(i % 2 === 0 ? other : one);
      await vi.waitFor(async () => expect(await one.queued()).toBe(1));
      const releasedAtMs = performance.now();
      slot.release();
      slot = await next;
      waits.push(performance.now() - releasedAtMs);
    }
    const median = waits.sort((a, b) => a - b)[10] ?? 0;
    // Without the bell it would be the next renewal: a minute.
    expect(median).toBeLessThan(1_000);
  });

  test("waiting ends at its deadline, with the wait to expect", async () => {
    const member = await fleet.join(1, { settings: { waitMs: 150 } });
    const slot = await acquire(member);
    await expect(acquire(member)).rejects.toMatchObject({
      code: "capacity.slot_timeout",
      retryable: true,
      retryAfterMs: expect.any(Number),
    });
    slot.release();
    (await acquire(member)).release();
  });

  test("who gives up waiting leaves the queue", async () => {
    const member = await fleet.join(1);
    const slot = await acquire(member);
    const gone = new AbortController();
    const waiting = acquire(member, gone.signal);
    const next = acquire(member);
    await vi.waitFor(async () => expect(await member.queued()).toBe(2));
    gone.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    slot.release();
    (await next).release();
    await vi.waitFor(async () => expect(await member.held()).toBe(0));
  });

  test("the slots and places of a dead process pass on within 2 s", async () => {
    const [dying, other] = await Promise.all([fleet.join(1), fleet.join(1)]);
    await acquire(dying);
    acquire(dying).catch(() => {});
    await vi.waitFor(async () => expect(await other.queued()).toBe(1));
    const waiting = acquire(other);
    await vi.waitFor(async () => expect(await other.queued()).toBe(2));
    const diedAtMs = performance.now();
    dying.cut(true);
    (await waiting).release();
    expect(performance.now() - diedAtMs).toBeLessThan(2_500);
  });

  test("of several keys the least loaded serves, each within its own limit", async () => {
    const keySlots = [
      { keyId: "small", slots: 1 },
      { keyId: "large", slots: 3 },
    ];
    const member = await fleet.join(keySlots);
    const slots = await Promise.all([acquire(member), acquire(member), acquire(member), acquire(member)]);
    expect(slots.map(({ keyId }) => keyId).sort()).toEqual(["large", "large", "large", "small"]);
    const waiting = acquire(member);
    await vi.waitFor(async () => expect(await member.queued()).toBe(1));
    slots.find(({ keyId }) => keyId === "small")?.release();
    expect((await waiting).keyId).toBe("small");
  });

  test("no slot of a key that may not serve is handed out", async () => {
    const keySlots = [
      { keyId: "sick", slots: 5 },
      { keyId: "well", slots: 1 },
    ];
    let usable = false;
    const member = await fleet.join(keySlots, { mayServe: (keyId) => usable || keyId === "well" });
    expect((await acquire(member)).keyId).toBe("well");
    const waiting = acquire(member);
    await vi.waitFor(async () => expect(await member.queued()).toBe(1));
    usable = true;
    expect((await waiting).keyId).toBe("sick");
  });

  test("a slot moves to another key only where one is free", async () => {
    const keySlots = [
      { keyId: "a", slots: 1 },
      { keyId: "b", slots: 1 },
    ];
    const member = await fleet.join(keySlots);
    const slot = await acquire(member);
    const from = slot.keyId;
    expect(await slot.move()).toBe(true);
    expect(slot.keyId).not.toBe(from);
    const other = await acquire(member);
    expect(other.keyId).toBe(from);
    expect(await slot.move()).toBe(false);
    slot.release();
    other.release();
    expect(await slot.move()).toBe(false);
  });

  test("what Redis forgets, its holders tell again before anybody else is served", async () => {
    const [holder, asker] = await Promise.all([fleet.join(1), fleet.join(1)]);
    const slot = await acquire(holder);
    const other = acquire(asker);
    await vi.waitFor(async () => expect(await asker.queued()).toBe(1));
    await Promise.all((await fleet.keysIn(asker.redis)).map((key) => asker.redis.del(key)));
    let granted = false;
    const settled = other.then((it) => {
      granted = true;
      return it;
    });
    await vi.waitFor(async () => expect(await asker.held()).toBe(1));
    expect(granted).toBe(false);
    slot.release();
    (await settled).release();
  });

  test("a Redis that was away for longer than a lease takes no slot from who still has it", async () => {
    const settings = { leaseMs: 300, renewEveryMs: 60 };
    const [holder, asker] = await Promise.all([fleet.join(1, { settings }), fleet.join(1, { settings })]);
    const slot = await acquire(holder);
    let granted = false;
    const waiting = acquire(asker).then((it) => {
      granted = true;
      return it;
    });
    await vi.waitFor(async () => expect(await asker.queued()).toBe(1));
    for (const member of [holder, asker]) member.cut(true);
    const held = fleet.keys.slots("provider", "held:key1");
    const [ticket = ""] = await asker.redis.zrange(held, "0", "0");
    const expiryMs = async () => Number(await asker.redis.zscore(held, ticket));
    const serverMs = async () => Number((await asker.redis.time())[0]) * 1_000;
    await vi.waitFor(async () => {
      expect(await serverMs()).toBeGreaterThan(await expiryMs());
    }, 3_000);
    // The one who wants it is back first.
    asker.cut(false);
    const seenAt = () => asker.redis.hget(fleet.keys.slots("provider", "key1:state"), "seen");
    const before = await seenAt();
    await vi.waitFor(async () => expect(await seenAt()).not.toBe(before));
    holder.cut(false);
    await vi.waitFor(async () => {
      expect(await expiryMs()).toBeGreaterThan(await serverMs());
    });
    expect(granted).toBe(false);
    slot.release();
    (await waiting).release();
  });

  test("random comings, goings and crashes: never more than there are, and nobody is forgotten", async () => {
    const random = new Random(7);
    const slots = 3;
    const members = await Promise.all(Array.from({ length: 4 }, () => fleet.join(slots)));
    const holders = new Set<{ readonly member: Member }>();
    const died = new AbortController();
    let peak = 0;
    const serve = async (member: Member) => {
      const patience = random.next() < 0.2 ? [AbortSignal.timeout(1 + random.below(30))] : [];
      const slot = await acquire(
        member,
        AbortSignal.any([...patience, ...(member === dying ? [died.signal] : [])]),
      ).catch(() => undefined);
      if (slot === undefined) return;
      const holder = { member };
      holders.add(holder);
      peak = Math.max(peak, holders.size);
      await pause(random.below(12));
      holders.delete(holder);
      slot.release();
    };
    const dying = members[3] as Member;
    const visits = async (member: Member, count: number) => {
      for (let i = 0; i < count && !(member === dying && died.signal.aborted); i++) {
        await pause(random.below(8));
        await serve(member);
      }
    };
    const doomed = [visits(dying, 1_000), visits(dying, 1_000)];
    const living = members.slice(0, 3).flatMap((member) => [visits(member, 40), visits(member, 40)]);
    await vi.waitFor(
      () => {
        expect(peak).toBe(slots);
        expect([...holders].some((it) => it.member === dying)).toBe(true);
      },
      { interval: 1, timeout: 5_000 },
    );
    died.abort(new Error("died"));
    // All that it had is over with it.
    for (const holder of holders) if (holder.member === dying) holders.delete(holder);
    dying.cut(true);
    await Promise.all([...living, ...doomed]);
    expect(peak).toBe(slots);
    const survivor = members[0] as Member;
    const all = await Promise.all(Array.from({ length: slots }, () => acquire(survivor)));
    expect(await survivor.held()).toBe(slots);
    for (const slot of all) slot.release();
    await vi.waitFor(async () => expect(await survivor.held()).toBe(0));
  });

  test("every key has a TTL, and no process keeps asking when nobody wants anything", async () => {
    const member = await fleet.join(1, { settings: { renewEveryMs: 20 } });
    (await acquire(member)).release();
    const names = await fleet.keysIn(member.redis);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(await member.redis.pttl(name)).not.toBe(-1);
    const seenAt = () => member.redis.hget(fleet.keys.slots("provider", "key1:state"), "seen");
    let last = await seenAt();
    await vi.waitFor(async () => {
      const before = last;
      last = await seenAt();
      expect(last).toBe(before);
    });
  });
}
