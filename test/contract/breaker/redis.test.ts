import { describe, inject } from "vitest";
import { breakerContract } from "./contract.ts";

describe("the breaker over Redis", () => breakerContract(() => inject("redisUrl")));
