import { type Departing, Drain } from "@tts-labs/edge/drain";
import type { GatewayError } from "@tts-labs/protocol/errors";
import { beforeEach, describe, expect, test } from "vitest";

const SETTINGS = { drainSettleMs: 30, drainSpreadMs: 200, drainLimitMs: 10_000 };
const NEVER = new AbortController().signal;

class FakeSession implements Departing {
  unfinished = 0;
  isResumable = false;
  announced: number | undefined;
  endedWith: string | undefined;

  announceDraining(reconnectInMs: number): void {
    this.announced = reconnectInMs;
  }
  disconnect(reason: GatewayError): void {
    this.endedWith = reason.code;
    sessions.splice(sessions.indexOf(this), 1);
  }
}

let sessions: FakeSession[];
let refusedAtMs: number | undefined;
beforeEach(() => {
  sessions = [];
  refusedAtMs = undefined;
});

const newDrain = (settings = SETTINGS) =>
  new Drain({
    settings,
    refuse: () => {
      refusedAtMs = performance.now();
    },
    sessions: () => [...sessions],
  });
const open = (is: Partial<FakeSession> = {}): FakeSession => {
  const session = Object.assign(new FakeSession(), is);
  sessions.push(session);
  return session;
};

describe("an edge that leaves", () => {
  test("is not ready at once, and takes new clients until the balancer has had its time", async () => {
    const drain = newDrain();
    const beganAtMs = performance.now();
    const leaving = drain.leave(NEVER);
    expect(drain.hasBegun).toBe(true);
    expect(refusedAtMs).toBeUndefined();
    await leaving;
    expect((refusedAtMs ?? 0) - beganAtMs).toBeGreaterThanOrEqual(29);
  });

  test("tells its clients to come back one after the other, evenly", async () => {
    const told = Array.from({ length: 4 }, () => open());
    await newDrain().leave(NEVER);
    expect(told.map((it) => it.announced)).toEqual([0, 50, 100, 150]);
    expect(told.map((it) => it.endedWith)).toEqual(Array(4).fill("draining"));
  });

  test("does not send away who leaves by itself", async () => {
    const session = open({ unfinished: 1 });
    const leaving = newDrain().leave(NEVER);
    await expect.poll(() => session.announced).toBe(0);
    sessions.length = 0;
    await leaving;
    expect(session.endedWith).toBeUndefined();
  });

  test("sends a client away in mid-utterance only where another edge can go on with it", async () => {
    const resumable = open({ unfinished: 1, isResumable: true });
    const fixed = open({ unfinished: 1 });
    const leaving = newDrain().leave(NEVER);
    await expect.poll(() => resumable.endedWith, { timeout: 3_000 }).toBe("draining");
    expect(fixed.endedWith).toBeUndefined();
    fixed.unfinished = 0;
    await leaving;
    expect(fixed.endedWith).toBe("draining");
  });

  test("waits for nobody beyond its limit", async () => {
    const stuck = open({ unfinished: 1 });
    await newDrain({ ...SETTINGS, drainLimitMs: 150 }).leave(NEVER);
    expect(stuck.endedWith).toBeUndefined();
    expect(sessions).toEqual([stuck]);
  });

  test("skips to the end when hurried, from wherever it is", async () => {
    open({ unfinished: 1 });
    const hurry = new AbortController();
    const drain = newDrain({ ...SETTINGS, drainSettleMs: 3_600_000, drainLimitMs: 3_600_000 });
    const leaving = drain.leave(hurry.signal);
    hurry.abort();
    await leaving;
    expect(await drain.leave(NEVER)).toBeUndefined();
  });
});
