import { Backoff } from "@tts-labs/core/async/backoff";
import { LazyTimer, monotonicMs } from "@tts-labs/core/async/lazy-timer";
import { PullQueue } from "@tts-labs/core/async/pull-queue";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

describe("a pull queue", () => {
  const onFull = vi.fn();
  const onRoom = vi.fn();
  const onAbandoned = vi.fn();
  beforeEach(() => vi.clearAllMocks());

  const newQueue = (highWaterBytes = 10) =>
    new PullQueue<string>({ bytesOf: (it) => it.length, highWaterBytes, onFull, onRoom, onAbandoned });
  const pull = (queue: PullQueue<string>) => queue[Symbol.asyncIterator]();

  it("hands out in order what came before and what comes after the pull", async () => {
    const queue = newQueue();
    queue.push("a");
    const items = pull(queue);
    expect(await items.next()).toEqual({ done: false, value: "a" });
    const next = items.next();
    queue.push("b");
    queue.push("c");
    queue.end();
    expect(await next).toEqual({ done: false, value: "b" });
    expect(await items.next()).toEqual({ done: false, value: "c" });
    expect(await items.next()).toEqual({ done: true, value: undefined });
    expect(await items.next()).toEqual({ done: true, value: undefined });
  });

  it("says once that it is full, and once that there is room, at half", async () => {
    const queue = newQueue();
    for (const item of ["12345", "67890", "more"]) queue.push(item);
    expect(onFull).toHaveBeenCalledOnce();
    expect(queue.queuedBytes).toBe(14);
    const items = pull(queue);
    await items.next();
    expect(onRoom).not.toHaveBeenCalled();
    await items.next();
    expect(onRoom).toHaveBeenCalledOnce();
    queue.push("1234567890");
    expect(onFull).toHaveBeenCalledTimes(2);
  });

  it("hands out what is queued before the error of its end, and throws that once", async () => {
    const queue = newQueue();
    queue.push("a");
    queue.end(new Error("broken"));
    queue.end();
    queue.push("ignored");
    const items = pull(queue);
    expect(await items.next()).toMatchObject({ value: "a" });
    await expect(items.next()).rejects.toThrow("broken");
    expect(await items.next()).toMatchObject({ done: true });
  });

  it("destroyed drops what is queued, also after its end", async () => {
    const queue = newQueue();
    queue.push("a");
    queue.end();
    queue.destroy(new Error("enough"));
    expect(queue.queuedBytes).toBe(0);
    await expect(pull(queue).next()).rejects.toThrow("enough");
  });

  it("tells a waiting consumer of end, error and destruction", async () => {
    const [ended, failed, destroyed] = [newQueue(), newQueue(), newQueue()];
    const waits = [ended, failed, destroyed].map((queue) => pull(queue).next());
    ended.end();
    failed.end(new Error("failed"));
    destroyed.destroy(new Error("destroyed"));
    expect((await Promise.allSettled(waits)).map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "rejected",
    ]);
  });

  it("tells when its consumer leaves early, and only then", async () => {
    const left = newQueue();
    left.push("a");
    for await (const _item of left) break;
    expect(onAbandoned).toHaveBeenCalledOnce();
    const read = newQueue();
    read.push("a");
    read.end();
    for await (const _item of read);
    expect(onAbandoned).toHaveBeenCalledOnce();
  });

  it("refuses two pulls at once", async () => {
    const items = pull(newQueue());
    void items.next();
    await expect(items.next()).rejects.toThrow("one pull at a time");
  });
});

describe("a lazy timer", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("wakes at the earliest time asked for, once", () => {
    const onWake = vi.fn();
    const timer = new LazyTimer(onWake);
    const nowMs = monotonicMs();
    timer.wakeBy(nowMs + 100);
    timer.wakeBy(nowMs + 50);
    timer.wakeBy(nowMs + 500);
    vi.advanceTimersByTime(49);
    expect(onWake).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(onWake).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(1_000);
    expect(onWake).toHaveBeenCalledOnce();
  });

  it("does not wake for what is infinitely far, nor when cancelled", () => {
    const onWake = vi.fn();
    const timer = new LazyTimer(onWake);
    timer.wakeBy(Number.POSITIVE_INFINITY);
    timer.wakeBy(monotonicMs() + 10);
    timer.cancel();
    vi.advanceTimersByTime(1_000);
    expect(onWake).not.toHaveBeenCalled();
  });
});

describe("a backoff", () => {
  it("doubles up to its bound, between half and all of it, and begins anew when reset", () => {
    const waits = (random: number) => {
      const backoff = new Backoff({ firstMs: 100, maxMs: 500 }, () => random);
      const four = [1, 2, 3, 4].map(() => backoff.nextMs());
      backoff.reset();
      return [...four, backoff.nextMs()];
    };
    expect(waits(0)).toEqual([50, 100, 200, 250, 50]);
    expect(waits(1)).toEqual([100, 200, 400, 500, 100]);
  });
});
