import { ByteBudget } from "@tts-labs/core/async/byte-budget";
import { Intake, type Obstacle } from "@tts-labs/edge/budget/intake";
import { CONNECTION_LIMITS, type ConnectionLimits } from "@tts-labs/edge/budget/limits";
import { WorkTurns } from "@tts-labs/edge/budget/work-turns";
import type { GatewayError } from "@tts-labs/protocol/errors";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

const UNBOUNDED = { perSecond: 1e9, burst: 1e9 };
const NO_LIMITS: ConnectionLimits = {
  messages: UNBOUNDED,
  bytes: UNBOUNDED,
  openings: UNBOUNDED,
  errors: UNBOUNDED,
  prewarms: UNBOUNDED,
  heldMessages: 1e9,
  heldBytes: 1e9,
  messagesPerTurn: 1e9,
  unsettledUtterances: 1e9,
  unreadAnswers: 1e9,
};

function open(limits: Partial<ConnectionLimits>, cost?: (intake: Intake) => void) {
  const taken: string[] = [];
  const reached: string[] = [];
  const errors: GatewayError[] = [];
  const state: { obstacle: Obstacle | undefined } = { obstacle: undefined };
  const heldBytes = new ByteBudget(1e9);
  const intake: Intake = new Intake({
    limits: { ...NO_LIMITS, heldBytes: 8 * 1_024, ...limits },
    turns: new WorkTurns(1_000),
    heldBytes,
    observer: { budgetReached: (budget, action) => reached.push(`${budget} ${action}`) },
    take: (bytes) => {
      taken.push(Buffer.from(bytes).toString());
      cost?.(intake);
    },
    obstacle: () => state.obstacle,
    onOver: (error) => errors.push(error),
  });
  const send = (count: number, from = 0) => {
    for (let i = 0; i < count; i++) intake.offer(Buffer.from(String(from + i)), false);
  };
  return { intake, taken, reached, errors, state, heldBytes, send };
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));
const FLOOD = 100_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a connection's intake", () => {
  test("takes at once what its budgets allow", () => {
    const { taken, send } = open({ messages: { perSecond: 1, burst: 5 } });
    send(5);
    expect(taken).toEqual(numbers(5));
  });

  test("holds what comes too fast, and takes it in order at its rate", async () => {
    const { taken, reached, errors, send } = open({ messages: { perSecond: 100, burst: 10 } });
    send(60);
    expect(taken).toEqual(numbers(10));
    await vi.advanceTimersByTimeAsync(250);
    expect(taken.length).toBeGreaterThan(30);
    expect(taken.length).toBeLessThanOrEqual(36);
    await vi.advanceTimersByTimeAsync(500);
    expect(taken).toEqual(numbers(60));
    expect(reached).toEqual(["messages paused"]);
    expect(errors).toEqual([]);
  });

  test.each<[string, Partial<ConnectionLimits>, ((intake: Intake) => void)?]>([
    ["messages", { messages: { perSecond: 100, burst: 100 } }],
    ["bytes", { bytes: { perSecond: 100, burst: 100 } }],
    ["openings", { openings: { perSecond: 1, burst: 10 } }, (intake) => intake.opened()],
    ["errors", { errors: { perSecond: 1, burst: 10 } }, (intake) => intake.failed()],
  ])(
    "closes a connection that goes on beyond its %s, by that name, having held a bounded part",
    (name, limits, cost) => {
      const { taken, reached, errors, heldBytes, send } = open(limits, cost);
      send(FLOOD);
      expect(taken.length).toBeLessThan(500);
      expect(reached).toEqual([`${name} paused`, `${name} closed`]);
      expect(errors).toMatchObject([
        { code: "capacity.rate_limited", retryable: true, facts: { budget: name } },
      ]);
      expect(errors[0]?.retryAfterMs).toBeGreaterThan(0);
      expect(heldBytes.takenBytes).toBe(0);
    },
  );

  test("closes a connection that sends more in one turn of the event loop than may come in one", async () => {
    const { taken, reached, send } = open({ messagesPerTurn: 50 });
    send(50);
    await vi.advanceTimersByTimeAsync(0);
    send(50, 50);
    expect(reached).toEqual([]);
    send(1);
    expect(taken).toHaveLength(100);
    expect(reached).toEqual(["messages closed"]);
  });

  test("without limits takes a flood whole (negative twin)", () => {
    const { taken, errors, send } = open({});
    send(FLOOD);
    expect(taken).toHaveLength(FLOOD);
    expect(errors).toEqual([]);
  });

  test("takes nothing while something is in the way, and everything once it has gone", async () => {
    const { intake, taken, state, send } = open({});
    state.obstacle = "held-messages";
    send(20);
    expect(taken).toEqual([]);
    state.obstacle = undefined;
    intake.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(taken).toEqual(numbers(20));
  });

  test("notices by itself that what was in the way has gone", async () => {
    const { taken, state, send } = open({});
    state.obstacle = "unsettled-utterances";
    send(20);
    state.obstacle = undefined;
    await vi.advanceTimersByTimeAsync(50);
    expect(taken).toEqual(numbers(20));
  });

  test("closes a client that does not read its answers as a slow one", () => {
    const { state, errors, send } = open({});
    state.obstacle = "unread-answers";
    send(FLOOD);
    expect(errors).toMatchObject([{ code: "capacity.slow_client" }]);
  });

  test("closes a connection for pings alone, which can't be held", () => {
    const { intake, errors } = open({ messages: { perSecond: 10, burst: 100 } });
    for (let i = 0; i < 199; i++) intake.controlFrame();
    expect(errors).toEqual([]);
    for (let i = 0; i < 10; i++) intake.controlFrame();
    expect(errors).toMatchObject([{ code: "capacity.rate_limited", facts: { budget: "messages" } }]);
  });

  test("refuses prewarms that are too many, with a time to wait, and goes on", async () => {
    const { intake, errors } = open({ prewarms: { perSecond: 2, burst: 3 } });
    for (let i = 0; i < 3; i++) intake.assertPrewarm();
    expect(() => intake.assertPrewarm()).toThrow(
      expect.objectContaining({ code: "capacity.rate_limited", retryAfterMs: 500 }),
    );
    await vi.advanceTimersByTimeAsync(500);
    intake.assertPrewarm();
    expect(errors).toEqual([]);
  });

  test("once closed, takes nothing that it held, and nothing that comes", async () => {
    const { intake, taken, heldBytes, send } = open({ messages: { perSecond: 100, burst: 5 } });
    send(20);
    intake.close();
    intake.close();
    send(20);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(taken).toEqual(numbers(5));
    expect(heldBytes.takenBytes).toBe(0);
  });

  test("an honest client never waits: tokens in bursts, eight long texts, a report for each frame", async () => {
    const { taken, reached, send } = open(CONNECTION_LIMITS);
    for (let second = 0; second < 10; second++) {
      // A model that gives 400 tokens a second, five in each millisecond that it gives any.
      for (let burst = 0; burst < 80; burst++) send(5);
      for (let report = 0; report < 100; report++) send(1);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    for (let i = 0; i < 8; i++) open(CONNECTION_LIMITS).intake.offer(new Uint8Array(160_000), false);
    expect(reached).toEqual([]);
    expect(taken).toHaveLength(10 * 500);
  });
});
