import type { TestProject } from "vitest/node";
import { startPrivateRedis } from "../../scripts/private-redis.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** A private Redis shared by the test files of one project; use a key prefix of your own. */
    redisUrl: string;
  }
}

export default async function setup(project: TestProject) {
  const redis = await startPrivateRedis({ debug: true });
  project.provide("redisUrl", redis.url);
  return () => redis.stop();
}
