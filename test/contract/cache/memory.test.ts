import { describe } from "vitest";
import { boundContract, cacheContract } from "./contract.ts";
import { openMemoryCaches } from "./stores.ts";

describe("cached speech in memory", () => {
  cacheContract(openMemoryCaches);
  boundContract(openMemoryCaches);
});
