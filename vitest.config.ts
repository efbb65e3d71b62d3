import { defineConfig } from "vitest/config";
import { ALONE } from "./test/alone.ts";

/**
 * Groups, from quick to slow, run one after the other; within a group as many files at once as `maxWorkers` says
 * (docs/ground.md, "Tests"). `unit` needs nothing; the others get a private Redis per project.
 */
const setupFiles = ["testkit/ground/no-leaks.ts", "testkit/ground/patience.ts"];
/** As `PATIENCE_MS` of the latter. */
const patient = { setupFiles, expect: { poll: { timeout: 15_000 } } };
const withRedis = { globalSetup: ["testkit/ground/global-redis.ts"], ...patient };
/** Limits are for a machine that others use as well: nothing is meant to come near them. */
const LIMIT_MS = 60_000;
/**
 * Whole systems under faults share few cores with whatever else the machine does; where a pause of the machine
 * itself upset a run, CI looks a second time and says so ("retry"). A person's run never does.
 */
const retry = process.env["CI"] ? 1 : 0;

/** Files of a system's tests that mostly wait: they run side by side. */
const beside = (name: string) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    exclude: [...ALONE],
    sequence: { groupOrder: 2 },
    isolate: false,
    maxWorkers: 3,
    testTimeout: LIMIT_MS,
    hookTimeout: LIMIT_MS,
    retry,
    ...withRedis,
  },
});

/** Files that flood or measure: one at a time, with nothing beside them. */
const alone = (name: string, include: readonly string[]) => ({
  test: {
    name,
    include: [...include],
    sequence: { groupOrder: 3 },
    maxWorkers: 1,
    testTimeout: LIMIT_MS,
    hookTimeout: LIMIT_MS,
    retry,
    ...withRedis,
  },
});

const ofProject = (name: string) => ALONE.filter((path) => path.startsWith(`test/${name}/`));

export default defineConfig({
  test: {
    pool: "forks",
    // Asked for with --coverage; .run is not part of the repository.
    coverage: {
      provider: "v8",
      include: ["apps/*/src/**/*.ts", "packages/*/src/**/*.ts"],
      exclude: ["apps/edge/src/page/**"],
      reporter: ["text-summary", "html"],
      reportsDirectory: ".run/coverage",
    },
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          sequence: { groupOrder: 0 },
          // One process for many files: what they import is read once.
          isolate: false,
          maxWorkers: 2,
          testTimeout: 30_000,
          ...patient,
        },
      },
      {
        test: {
          name: "contract",
          include: ["test/contract/**/*.test.ts"],
          sequence: { groupOrder: 1 },
          maxWorkers: 3,
          testTimeout: LIMIT_MS,
          hookTimeout: LIMIT_MS,
          ...withRedis,
        },
      },
      beside("integration"),
      beside("fault"),
      alone("integration-alone", ofProject("integration")),
      alone("fault-alone", ofProject("fault")),
      alone("story", ["test/story/**/*.test.ts"]),
      alone("browser", ["test/browser/**/*.test.ts"]),
    ],
  },
});
