/**
 * Files of the projects `integration` and `fault` that run one at a time, in `integration-alone` and `fault-alone`:
 * those that flood, and those that measure to tens of milliseconds. Everything else waits for conditions and runs
 * side by side with two others, so it must not take their noise for a fault.
 */
export const ALONE: readonly string[] = [
  "test/fault/admission/late-loop.test.ts",
  "test/fault/admission/overload.test.ts",
  "test/fault/breaker.test.ts",
  "test/fault/cache/single-flight.test.ts",
  "test/fault/cache/slow-listeners.test.ts",
  "test/fault/chaos/*.test.ts",
  "test/fault/client/resume-storm.test.ts",
  "test/fault/client/stops-reading.test.ts",
  "test/fault/floods/*.test.ts",
  "test/fault/governor.test.ts",
  "test/fault/pool.test.ts",
  "test/fault/slow-client/adaptive-frames.test.ts",
  "test/fault/slow-client/cut-off.test.ts",
  "test/integration/deploy/prometheus.test.ts",
  "test/integration/deploy/scaling.test.ts",
  "test/integration/simulator/load.test.ts",
  "test/integration/simulator/recorded-sessions.test.ts",
  "test/integration/system/backpressure.test.ts",
  "test/integration/system/hundred-streams.test.ts",
];
