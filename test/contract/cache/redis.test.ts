import { describe, inject } from "vitest";
import { boundContract, cacheContract } from "./contract.ts";
import { redisCaches } from "./stores.ts";

describe("cached speech in a shared Redis", () => {
  cacheContract(redisCaches(inject("redisUrl")));
  boundContract(redisCaches(inject("redisUrl")));
});

describe("cached speech in a Redis that evicts by itself", () => {
  cacheContract(redisCaches(inject("redisUrl"), "redis"));
});
