import { ProviderError } from "@tts-labs/core/breaker/faults";
import { type ErrorCode, GatewayError } from "@tts-labs/protocol/errors";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Fleet, fault, type Member, request } from "./fleet.ts";

/** What a breaker promises over any Redis. */
export function breakerContract(url: () => string): void {
  let fleet: Fleet;
  let members: readonly [Member, Member, Member];
  beforeEach(async () => {
    fleet = new Fleet(url());
    members = await Promise.all([fleet.join(), fleet.join(), fleet.join()]);
  });
  afterEach(() => fleet.close());

  const isOpen = () => members.map(({ circuit }) => !circuit.isClosed);
  const open = async () => {
    for (const member of members) await request(member, fault());
    await vi.waitFor(() => expect(isOpen()).toEqual([true, true, true]), { interval: 1 });
  };
  const probeDue = () =>
    vi.waitFor(() => expect(members.map(({ circuit }) => circuit.retryInMs)).toEqual([0, 0, 0]), {
      interval: 5,
    });

  // Tried again where the machine itself was late: one time within 100 ms shows that it is told, not looked up.
  test("three faults in a row, each seen by another process, open it for all within 100 ms", {
    retry: 4,
  }, async () => {
    const [one, two, three] = members;
    await request(one, fault());
    await request(two, fault());
    const lastAtMs = performance.now();
    await request(three, fault());
    await vi.waitFor(() => expect(isOpen()).toEqual([true, true, true]), { interval: 1 });
    expect(performance.now() - lastAtMs).toBeLessThan(100);
  });

  test("a success in between begins the count anew", async () => {
    const [one, two, three] = members;
    await request(one, fault());
    await request(two, fault());
    // A process reports a success only if there is a fault to be forgotten, which it must have heard of.
    await vi.waitFor(async () => {
      await request(three);
      expect(await three.redis.hget(fleet.keys.circuit("key1"), "faults")).toBe("0");
    });
    await request(one, fault());
    await request(two, fault());
    await two.circuit.look();
    expect(two.circuit.isClosed).toBe(true);
  });

  test("while it is open, everybody is turned away with the time to wait, and Redis is not asked", async () => {
    await open();
    const asked = members.map((member) => member.asked());
    for (const member of members) {
      await expect(request(member)).rejects.toMatchObject({
        code: "provider.circuit_open",
        retryable: true,
        retryAfterMs: expect.any(Number),
      });
    }
    expect(members.map((member) => member.asked())).toEqual(asked);
  });

  test("a healthy provider costs Redis nothing", async () => {
    const asked = members[0].asked();
    for (let i = 0; i < 100; i++) await request(members[0]);
    expect(members[0].asked()).toBe(asked);
  });

  test("of all who come when its time is up, exactly one makes the probe; its success closes it for all", async () => {
    await open();
    await probeDue();
    const tries = await Promise.allSettled(
      [...members, ...members, ...members].map(({ circuit }) => circuit.admit()),
    );
    const permits = tries.flatMap((it) => (it.status === "fulfilled" ? [it.value] : []));
    expect(permits.map(({ isProbe }) => isProbe)).toEqual([true]);
    permits[0]?.succeeded();
    await vi.waitFor(() => expect(isOpen()).toEqual([false, false, false]), { interval: 1 });
    for (const member of members) await request(member);
  });

  test("a probe that fails keeps it closed off for another period, with one probe at its end", async () => {
    await open();
    for (let period = 0; period < 2; period++) {
      await probeDue();
      const tries = await Promise.allSettled(members.map(({ circuit }) => circuit.admit()));
      const permits = tries.flatMap((it) => (it.status === "fulfilled" ? [it.value] : []));
      expect(permits.length).toBe(1);
      permits[0]?.failed(fault());
      await vi.waitFor(() => expect(members[0].circuit.retryInMs).toBeGreaterThan(100), { interval: 1 });
    }
  });

  test("a probe that came to nothing may be made again at once, one whose maker died after its time", async () => {
    await open();
    await probeDue();
    (await members[0].circuit.admit()).dropped();
    await probeDue();
    const lost = await members[1].circuit.admit();
    expect(lost.isProbe).toBe(true);
    await vi.waitFor(() => expect(members[2].circuit.retryInMs).toBeGreaterThan(0), { interval: 1 });
    await expect(members[2].circuit.admit()).rejects.toMatchObject({ code: "provider.circuit_open" });
    await probeDue();
    expect((await members[2].circuit.admit()).isProbe).toBe(true);
  });

  test("what was begun before it opened neither closes it nor prolongs it", async () => {
    const [early, late] = await Promise.all([members[0].circuit.admit(), members[0].circuit.admit()]);
    await open();
    const before = await members[1].redis.hgetall(fleet.keys.circuit("key1"));
    early.succeeded();
    late.failed(fault());
    await members[0].circuit.look();
    expect(await members[1].redis.hgetall(fleet.keys.circuit("key1"))).toEqual(before);
  });

  const harmless: ErrorCode[] = [
    ...(["provider.quota_exceeded", "provider.invalid_key", "provider.voice_not_found"] as const),
    ...(["provider.invalid_request", "provider.overloaded", "provider.idle_closed"] as const),
    ...(["cancelled.by_client", "lease.lost", "storage.timeout"] as const),
  ];
  test.each(harmless)("%s is not held against the provider", async (code) => {
    for (let i = 0; i < 5; i++) await request(members[0], new GatewayError(code));
    await members[1].circuit.look();
    expect(members[1].circuit.isClosed).toBe(true);
  });

  test("a 503 is a fault, though a 429 is not", async () => {
    const refused = new ProviderError("provider.overloaded", { verdict: "fault", key: "same" });
    for (let i = 0; i < 3; i++) await request(members[0], refused);
    await vi.waitFor(() => expect(members[1].circuit.isClosed).toBe(false), { interval: 1 });
  });

  test("a message that is lost is made good by looking", async () => {
    const deaf = await fleet.join({ pullEveryMs: 20 });
    await deaf.breaker.close();
    await open();
    await deaf.circuit.look();
    expect(deaf.circuit.isClosed).toBe(false);
  });

  describe("without Redis", () => {
    test("what was last known holds", async () => {
      await open();
      members[0].cut(true);
      await expect(members[0].circuit.admit()).rejects.toMatchObject({ code: "provider.circuit_open" });
    });

    test("a process counts, waits and probes by itself, and is one with the others again afterwards", async () => {
      const [alone, other] = members;
      alone.cut(true);
      for (let i = 0; i < 3; i++) await request(alone, fault());
      await vi.waitFor(() => expect(alone.circuit.isClosed).toBe(false), { interval: 1 });
      expect(other.circuit.isClosed).toBe(true);
      await vi.waitFor(() => expect(alone.circuit.retryInMs).toBe(0));
      const probe = await alone.circuit.admit();
      expect(probe.isProbe).toBe(true);
      await expect(alone.circuit.admit()).rejects.toMatchObject({ code: "provider.circuit_open" });
      probe.failed(fault());
      await vi.waitFor(() => expect(alone.circuit.retryInMs).toBeGreaterThan(100), { interval: 1 });
      alone.cut(false);
      await vi.waitFor(async () => {
        await alone.circuit.look();
        expect(alone.circuit.isClosed).toBe(true);
      });
    });

    test("a Redis that has forgotten an open circuit does not keep it open for ever", async () => {
      await open();
      await members[0].redis.del(fleet.keys.circuit("key1"));
      await members[0].circuit.look();
      expect(members[0].circuit.isClosed).toBe(false);
      await probeDue();
      await request(members[0]);
    });
  });

  test("every key has a TTL", async () => {
    await open();
    expect(await members[0].redis.pttl(fleet.keys.circuit("key1"))).toBeGreaterThan(0);
  });

  test("switched off, it never opens", async () => {
    const off = await fleet.join({ faults: 0 });
    for (let i = 0; i < 10; i++) await request(off, fault());
    await off.circuit.look();
    expect(off.circuit.isClosed).toBe(true);
  });
}
