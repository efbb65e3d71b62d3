import { IdleCollector } from "@tts-labs/core/process/idle-collector";
import { beforeEach, expect, test } from "vitest";

const MB = 1024 * 1024;
let used = 0;
let busy = 0;
/** What a collection leaves. */
let live = 0;
let collections = 0;
let collector: IdleCollector;

beforeEach(() => {
  used = live = 30 * MB;
  busy = 0;
  collections = 0;
  collector = new IdleCollector({
    usedBytes: () => used,
    busyShare: () => busy,
    collect: () => {
      collections++;
      used = live;
    },
  });
});
const look = (times: number) => {
  for (let i = 0; i < times; i++) collector.look();
};

test("what a busy time has left is collected once the process is idle, and once only", () => {
  busy = 0.6;
  used = 160 * MB;
  look(20);
  expect(collections).toBe(0);
  busy = 0;
  look(1);
  expect(collections).toBe(0);
  look(20);
  expect(collections).toBe(1);
  expect(used).toBe(30 * MB);
});

test("a little garbage is left alone, and so is what is still in use", () => {
  used = 50 * MB;
  look(20);
  expect(collections).toBe(0);
  live = used = 200 * MB;
  look(20);
  expect(collections).toBe(1);
});

test("what V8 has collected by itself counts as collected", () => {
  used = 160 * MB;
  busy = 1;
  look(1);
  used = 20 * MB;
  look(1);
  used = 60 * MB;
  busy = 0;
  look(2);
  expect(collections).toBe(1);
});
