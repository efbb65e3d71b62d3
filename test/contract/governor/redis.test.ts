import { describe, inject } from "vitest";
import { governorContract } from "./contract.ts";

describe("the governor over Redis", () => governorContract(() => inject("redisUrl")));
