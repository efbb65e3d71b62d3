import { describe, inject } from "vitest";
import { flightsContract, openMemoryFlights, redisFlights } from "./flights-contract.ts";

describe("flights in memory", () => flightsContract(openMemoryFlights));
describe("flights over Redis", () => flightsContract(redisFlights(inject("redisUrl"))));
