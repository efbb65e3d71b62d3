import { describe, inject } from "vitest";
import { streamContract } from "./contract.ts";
import { redisStores } from "./stores.ts";

describe("streams over Redis", () => streamContract(redisStores(inject("redisUrl"))));
