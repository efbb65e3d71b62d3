import { describe, expect, it } from "vitest";
import { Autoscaler, type AutoscalerPlan, type Measured } from "../../../testkit/deploy/autoscaler.ts";

const PLAN: AutoscalerPlan = {
  minReplicas: 1,
  maxReplicas: 10,
  scaleDown: { stabilizationWindowMs: 300_000, pods: 1, periodMs: 60_000 },
};
const pods = (...values: (number | undefined)[]): Measured => ({ type: "Pods", target: 100, values });
const external = (total: number | undefined): Measured => ({ type: "External", target: 100, total });

describe("the autoscaler's formula", () => {
  it.each([
    ["the average over the target", 2, [pods(150, 250)], 4],
    ["nothing within the tolerance", 2, [pods(105, 112)], 2],
    ["the total over the target", 2, [external(510)], 6],
    ["the largest of two metrics", 2, [pods(100, 100), external(380)], 4],
    ["no more than the maximum", 8, [pods(...Array.from({ length: 8 }, () => 900))], 10],
    ["at most four more, or twice as many, at once", 1, [external(900)], 5],
    ["the same where a metric is not known", 4, [pods(undefined, undefined, undefined, undefined)], 4],
    [
      "the same where one is not known and the other asks for fewer",
      4,
      [pods(1, 1, 1, 1), external(undefined)],
      4,
    ],
    ["more where one is not known and the other asks for more", 2, [pods(200, 200), external(undefined)], 4],
    ["a pod without a value as idle, going up", 2, [pods(300, undefined)], 3],
    ["a pod without a value as just right, going down", 2, [pods(0, undefined)], 1],
  ] as const)("gives %s", (_, current, metrics, wanted) => {
    const { scaleDown } = PLAN;
    const plan = { ...PLAN, scaleDown: { ...scaleDown, stabilizationWindowMs: 0 } };
    expect(new Autoscaler(plan).next(0, current, metrics)).toBe(wanted);
  });

  it("goes down by the largest wish of the window, and by one pod a minute", () => {
    const autoscaler = new Autoscaler(PLAN);
    const sizes: number[] = [];
    let size = 4;
    for (let second = 0; second <= 480; second += 15) {
      const load = second < 60 ? 400 : 50;
      size = autoscaler.next(second * 1_000, size, [external(load)]);
      sizes.push(size);
    }
    expect(sizes.slice(0, 23)).toEqual(Array.from({ length: 23 }, () => 4));
    expect(sizes.slice(23)).toEqual([3, 3, 3, 3, 2, 2, 2, 2, 1, 1]);
  });

  it("what is not known is not nothing: a metric of 0 in its place would end all pods but one", () => {
    const unknown = new Autoscaler(PLAN);
    const nothing = new Autoscaler(PLAN);
    let [held, fallen] = [4, 4];
    for (let second = 0; second <= 900; second += 15) {
      held = unknown.next(second * 1_000, held, [external(undefined)]);
      fallen = nothing.next(second * 1_000, fallen, [external(0)]);
    }
    expect([held, fallen]).toEqual([4, 1]);
  });
});
