import { GivenUpRequests } from "@tts-labs/edge/budget/given-up-requests";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

class Request {
  isOpen = true;
  readonly #acts: (() => void)[] = [];

  onGone(act: () => void): void {
    if (this.isOpen) this.#acts.push(act);
    else act();
  }

  giveUp(): void {
    this.isOpen = false;
    for (const act of this.#acts.splice(0)) act();
  }
}

function open(burst = 3) {
  const reached: string[] = [];
  const givenUp = new GivenUpRequests(
    { perSecond: 1, burst },
    { budgetReached: (budget, action) => reached.push(`${budget} ${action}`) },
  );
  /** Each comes, begins, and is given up at once. */
  const giveUpMany = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const request = new Request();
      void givenUp.mayBegin(request);
      request.giveUp();
    }
    await vi.advanceTimersByTimeAsync(0);
  };
  const come = () => {
    const request = new Request();
    const state = { hasBegun: false };
    void givenUp.mayBegin(request).then(() => {
      state.hasBegun = true;
    });
    return { request, state };
  };
  return { givenUp, reached, giveUpMany, come };
}

test("an abort that comes in the turn behind its request is seen before anything is done for it", async () => {
  const { givenUp, reached } = open();
  const request = new Request();
  const wasOpen = givenUp.mayBegin(request).then(() => request.isOpen);
  setImmediate(() => request.giveUp());
  expect(await wasOpen).toBe(false);
  expect(reached).toEqual([]);
});

describe("requests given up", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("once many were given up early, one has to stay for a moment before it begins", async () => {
    const { giveUpMany, come, reached } = open();
    await giveUpMany(4);
    const { state } = come();
    await vi.advanceTimersByTimeAsync(40);
    expect(state.hasBegun).toBe(false);
    expect(reached).toEqual(["given-up-requests paused"]);
    await vi.advanceTimersByTimeAsync(20);
    expect(state.hasBegun).toBe(true);
  });

  test("without a bound one begins at once however many were given up (negative twin)", async () => {
    const { giveUpMany, come, reached } = open(Number.POSITIVE_INFINITY);
    await giveUpMany(1_000);
    const { state } = come();
    await vi.advanceTimersByTimeAsync(5);
    expect(state.hasBegun).toBe(true);
    expect(reached).toEqual([]);
  });

  test("one that is given up while it waits is let go at once, and its timer with it", async () => {
    const { giveUpMany, come } = open();
    await giveUpMany(4);
    const { request, state } = come();
    await vi.advanceTimersByTimeAsync(5);
    request.giveUp();
    await vi.advanceTimersByTimeAsync(0);
    expect(state.hasBegun).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("one that was listened to for longer than a second and then left does not count", async () => {
    const { givenUp, come } = open();
    const { request } = come();
    await vi.advanceTimersByTimeAsync(1_001);
    request.giveUp();
    expect(givenUp.count).toBe(0);
  });

  test("however long it went on, trust comes back within twice the burst", async () => {
    const { givenUp, giveUpMany, come } = open();
    await giveUpMany(1_000);
    expect(givenUp.count).toBeLessThanOrEqual(6);
    await vi.advanceTimersByTimeAsync(6_000);
    const { state } = come();
    await vi.advanceTimersByTimeAsync(5);
    expect(state.hasBegun).toBe(true);
  });
});
