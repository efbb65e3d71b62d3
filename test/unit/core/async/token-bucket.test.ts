import { TokenBucket } from "@tts-labs/core/async/token-bucket";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

describe("a token bucket", () => {
  test("gives its burst at once, then its rate", () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 3 }, 0);
    expect([1, 1, 1, 1].map((cost) => bucket.tryTake(cost, 0))).toEqual([true, true, true, false]);
    expect(bucket.tryTake(1, 99)).toBe(false);
    expect(bucket.tryTake(1, 100)).toBe(true);
  });

  test("never holds more than its burst, however long it rests", () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 3 }, 0);
    expect(bucket.tokens(1e9)).toBe(3);
  });

  test("takes what costs more than its burst from a full bucket, and is paid back for it", () => {
    const bucket = new TokenBucket({ perSecond: 1_000, burst: 100 }, 0);
    expect(bucket.tryTake(300, 0)).toBe(true);
    expect(bucket.tokens(0)).toBe(-200);
    expect(bucket.waitMs(1, 0)).toBe(201);
    expect(bucket.tryTake(300, 299)).toBe(false);
    expect(bucket.tryTake(300, 300)).toBe(true);
  });

  test("a charge is taken without asking, and waited for afterwards", () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 1 }, 0);
    bucket.charge(3, 0);
    expect(bucket.waitMs(1, 0)).toBe(300);
  });

  test("a clock that stands still or goes back gives nothing", () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 1 }, 1_000);
    bucket.tryTake(1, 1_000);
    expect(bucket.tryTake(1, 500)).toBe(false);
    expect(bucket.tokens(1_000)).toBe(0);
  });

  test("over any time, at most burst + rate × time is taken, and after waitMs one more is there", async () => {
    const steps = fc.array(fc.record({ afterMs: fc.nat(500), asks: fc.nat(20) }), { maxLength: 60 });
    await fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 50 }), (plan, perSecond) => {
        const bucket = new TokenBucket({ perSecond, burst: 5 }, 0);
        let nowMs = 0;
        let taken = 0;
        for (const { afterMs, asks } of plan) {
          nowMs += afterMs;
          for (let i = 0; i < asks; i++) if (bucket.tryTake(1, nowMs)) taken++;
          expect(taken).toBeLessThanOrEqual(5 + (perSecond * nowMs) / 1_000 + 1e-6);
        }
        expect(bucket.tryTake(1, nowMs + bucket.waitMs(1, nowMs))).toBe(true);
      }),
    );
  });
});
