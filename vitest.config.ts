import { defineConfig } from "vitest/config";

/**
 * Projects, from quick to slow, run in this order. `unit` needs nothing; the others get a private Redis each.
 * Files that start whole systems run one after the other, so that they do not disturb each other's timing.
 */
const setupFiles = ["test/harness/no-leaks.ts"];
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
          ...withRedis,
        },
      })),
    ],
  },
});
