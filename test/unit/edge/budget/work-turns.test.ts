import { setImmediate as nextTurn } from "node:timers/promises";
import { type TurnTaker, WorkTurns } from "@tts-labs/edge/budget/work-turns";
import { describe, expect, test } from "vitest";

/** Keeps the thread busy. */
function work(ms: number): void {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
}

const taker = (pieces: number, pieceMs: number, done: () => void): TurnTaker => ({
  takeTurn: () => {
    work(pieceMs);
    done();
    return --pieces > 0;
  },
});

describe("turns of the event loop", () => {
  test("are given in rotation, a piece to each", async () => {
    const turns = new WorkTurns(1_000);
    const order: string[] = [];
    turns.queue(taker(3, 0, () => order.push("a")));
    turns.queue(taker(2, 0, () => order.push("b")));
    await nextTurn();
    expect(order.join("")).toBe("ababa");
  });

  test("end when their time is spent, and others have the loop in between", async () => {
    const turns = new WorkTurns(4);
    let done = 0;
    const long = taker(100, 2, () => done++);
    turns.queue(long);
    await nextTurn();
    expect(done).toBeLessThanOrEqual(2);
    expect(turns.hasRoom).toBe(false);
    await nextTurn();
    expect(done).toBeLessThanOrEqual(4);
    // What is left would run in the next file of this process, under its false clock for ever.
    turns.remove(long);
  });

  test("without a bound on their time do everything at once (negative twin)", async () => {
    const turns = new WorkTurns(Number.POSITIVE_INFINITY);
    let done = 0;
    turns.queue(taker(100, 0.1, () => done++));
    await nextTurn();
    expect(done).toBe(100);
  });

  test("have no room for work that comes once their time is spent, and have it again in the next", async () => {
    const turns = new WorkTurns(4);
    expect(turns.hasRoom).toBe(true);
    turns.spent(5);
    expect(turns.hasRoom).toBe(false);
    await nextTurn();
    expect(turns.hasRoom).toBe(true);
  });

  test("are not given to one that was removed", async () => {
    const turns = new WorkTurns(4);
    let done = 0;
    const removed = taker(1, 0, () => done++);
    turns.queue(removed);
    turns.remove(removed);
    await nextTurn();
    expect(done).toBe(0);
  });
});
