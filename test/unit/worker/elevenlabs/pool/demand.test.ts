import { Demand } from "@tts-labs/worker/elevenlabs/pool/demand";
import { expect, it } from "vitest";

/** A demand that has seen `perSecond` arrivals at equal distances for `seconds`, ending at time 0. */
function steady(perSecond: number, seconds: number): Demand {
  const demand = new Demand();
  for (let i = perSecond * seconds; i > 0; i--) demand.arrived((-i * 1_000) / perSecond);
  return demand;
}

it("knows the rate of arrivals within a few seconds, and forgets it as soon", () => {
  expect(steady(20, 10).rate(0)).toBeGreaterThan(18);
  expect(steady(20, 10).rate(0)).toBeLessThan(22);
  expect(steady(20, 1).rate(0)).toBeGreaterThan(10);
  expect(steady(20, 10).rate(20_000)).toBeLessThan(0.5);
});

it("asks for what is likely to be taken while one connects, and four times the spread", () => {
  const demand = steady(20, 10);
  for (let i = 0; i < 50; i++) demand.connected(180);
  // 3.6 on average; 11 or more come in one of 700 cases (Poisson).
  expect(demand.sockets(0)).toBeGreaterThanOrEqual(11);
  expect(demand.sockets(0)).toBeLessThanOrEqual(12);
});

it("asks for more when connecting takes longer", () => {
  const demand = steady(5, 10);
  const before = demand.sockets(0);
  for (let i = 0; i < 50; i++) demand.connected(2_000);
  expect(demand.sockets(0)).toBeGreaterThan(before * 2);
});

it("asks for nothing where nobody comes, or one alone", () => {
  expect(new Demand().sockets(0)).toBe(0);
  const once = new Demand();
  once.arrived(0);
  expect(once.sockets(0)).toBe(0);
  expect(new Demand().staggerMs(100, 0)).toBe(100);
});

it("connects as often as twice the arrivals where the usual distance would be too long", () => {
  expect(steady(20, 10).staggerMs(100, 0)).toBeLessThan(28);
  expect(steady(1, 10).staggerMs(100, 0)).toBe(100);
});
