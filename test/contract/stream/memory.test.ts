import { describe } from "vitest";
import { streamContract } from "./contract.ts";
import { openMemoryStores } from "./stores.ts";

describe("streams in memory", () => streamContract(openMemoryStores));
