import { silentLogger } from "@tts-labs/core/logger";
import { BackgroundWork } from "@tts-labs/edge/background-work";
import { UnsettledUtterances } from "@tts-labs/edge/budget/unsettled-utterances";
import { describe, expect, test } from "vitest";

const LIMITS = {
  unsettledUtterances: 10,
  fewUnsettled: 2,
  calmUnsettled: 3,
  maxUnsettledUtterances: 20,
  ofSession: 6,
};

function newPiece() {
  let resolve = () => {};
  let reject = (_: Error) => {};
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve: () => resolve(), reject: (error: Error) => reject(error) };
}

function open() {
  const refused: string[] = [];
  const unsettled = new UnsettledUtterances(LIMITS, {
    budgetReached: (budget, action) => refused.push(`${budget} ${action}`),
  });
  const settle: (() => void)[] = [];
  const end = (count: number) => {
    for (let i = 0; i < count; i++)
      void unsettled.until(new Promise<void>((resolve) => settle.push(resolve)));
  };
  return { unsettled, refused, end, settle };
}

describe("unsettled utterances", () => {
  test("count until their work has settled", async () => {
    const { unsettled, end, settle } = open();
    end(3);
    expect(unsettled.count).toBe(3);
    for (const resolve of settle) resolve();
    await expect.poll(() => unsettled.count).toBe(0);
  });

  test("make a session wait at its own bound; one without any never waits", () => {
    const { unsettled } = open();
    expect(unsettled.mustWait(1, 4)).toBe(false);
    expect(unsettled.mustWait(1, 5)).toBe(true);
    expect(unsettled.mustWait(0, 8)).toBe(false);
  });

  test("make a session with a few wait while there are many in all, and not one without", () => {
    const { unsettled, end } = open();
    expect(unsettled.mustWait(2, 0)).toBe(false);
    end(10);
    expect(unsettled.mustWait(2, 0)).toBe(true);
    expect(unsettled.mustWait(0, 3)).toBe(false);
  });

  test("keep beginnings in line while there are many, and let them begin in order as others settle", async () => {
    const { unsettled, end, settle } = open();
    const begun: number[] = [];
    const begin = (number: number) => void unsettled.mayBegin().then(() => begun.push(number));
    begin(0);
    end(4);
    for (let number = 1; number <= 5; number++) begin(number);
    await new Promise(setImmediate);
    expect(begun).toEqual([0]);
    settle.shift()?.();
    await new Promise(setImmediate);
    expect(begun).toEqual([0]);
    settle.shift()?.();
    await expect.poll(() => begun).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test("let a beginning go after a second where nothing settles", async () => {
    const { unsettled, end } = open();
    end(10);
    const askedAtMs = performance.now();
    await unsettled.mayBegin();
    expect(performance.now() - askedAtMs).toBeGreaterThan(900);
  });

  test("are refused beyond the last bound, with a time to wait", () => {
    const { unsettled, refused, end } = open();
    end(19);
    unsettled.assertRoom();
    end(1);
    expect(() => unsettled.assertRoom()).toThrow(
      expect.objectContaining({ code: "capacity.overloaded", retryAfterMs: 1_000 }),
    );
    expect(refused).toEqual(["unsettled-utterances refused"]);
  });
});

describe("a scope of background work", () => {
  test("settles when its own pieces have, those added meanwhile included; the whole counts them, too", async () => {
    const all = new BackgroundWork(silentLogger);
    const scope = all.scope();
    const first = newPiece();
    const second = newPiece();
    const other = newPiece();
    all.add("another's", other.promise);
    scope.add("first", first.promise);
    expect([scope.pending, all.pending]).toEqual([1, 2]);
    let isSettled = false;
    const settled = scope.settled().then(() => {
      isSettled = true;
    });
    scope.add("second", second.promise);
    first.resolve();
    await expect.poll(() => scope.pending).toBe(1);
    expect(isSettled).toBe(false);
    second.reject(new Error("a failure is settled, too"));
    await settled;
    expect([scope.pending, all.pending]).toEqual([0, 1]);
    other.resolve();
    await all.settled();
  });
});
