import { defineConfig } from "vitest/config";

/**
 * Projects, from quick to slow, run in this order. `unit` needs nothing; the others get a private Redis each.
 * Files that start whole systems run one after the other, so that they do not disturb each other's timing.
 */
const setupFiles = ["test/harness/no-leaks.ts"];
/**
 * Whole systems under faults share few cores with whatever else the machine does; where a pause of the machine
 * itself upset a run, CI looks a second time and says so ("retry"). A person's run never does.
 */
const retry = process.env["CI"] ? 1 : 0;
const withRedis = { globalSetup: ["test/harness/global-redis.ts"], setupFiles };

export default defineConfig({
  test: {
    pool: "forks",
    projects: [
      {
        test: { name: "unit", include: ["test/unit/**/*.test.ts"], sequence: { groupOrder: 0 }, setupFiles },
      },
      {
        test: {
          name: "contract",
          include: ["test/contract/**/*.test.ts"],
          sequence: { groupOrder: 1 },
          testTimeout: 30_000,
          ...withRedis,
        },
      },
      ...["integration", "fault", "story", "browser"].map((name, index) => ({
        test: {
          name,
          include: [`test/${name}/**/*.test.ts`],
          sequence: { groupOrder: 2 + index },
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          retry,
          ...withRedis,
        },
      })),
    ],
  },
});
