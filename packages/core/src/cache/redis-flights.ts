import type { RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { Script } from "../redis/script.ts";
import { type Boarding, FLIGHT_TTL_MS, type Flights } from "./flights.ts";

const FLIGHT = new Script("flight");

export interface RedisFlightsOptions {
  /** The Redis of the streams, not the cache's own: an eviction would cause a second synthesis. */
  readonly redis: RedisConnection;
  readonly keys: Keys;
  readonly ttlMs?: number;
}

export class RedisFlights implements Flights {
  readonly #options: RedisFlightsOptions;

  constructor(options: RedisFlightsOptions) {
    this.#options = options;
  }

  async board(key: string, utteranceId: string, replacing = ""): Promise<Boarding> {
    const { leader } = await this.#run("board", key, utteranceId, replacing);
    return leader === utteranceId ? { kind: "lead" } : { kind: "join", utteranceId: leader };
  }

  async renew(key: string, utteranceId: string): Promise<"alone" | "joined" | "lost"> {
    const { leader, isJoined } = await this.#run("renew", key, utteranceId);
    if (leader !== utteranceId) return "lost";
    return isJoined ? "joined" : "alone";
  }

  async leave(key: string, utteranceId: string): Promise<"alone" | "joined"> {
    return (await this.#run("leave", key, utteranceId)).leader === utteranceId ? "joined" : "alone";
  }

  async land(key: string, utteranceId: string): Promise<"alone" | "joined"> {
    const { leader, isJoined } = await this.#run("land", key, utteranceId);
    return leader === "" && isJoined ? "joined" : "alone";
  }

  async #run(
    step: "board" | "renew" | "leave" | "land",
    key: string,
    utteranceId: string,
    replacing = "",
  ): Promise<{ readonly leader: string; readonly isJoined: boolean }> {
    const { redis, keys, ttlMs = FLIGHT_TTL_MS } = this.#options;
    const args = [step, utteranceId, ttlMs, replacing];
    const [leader = "", joined] = await FLIGHT.run(redis, [keys.flight(key)], args);
    return { leader, isJoined: joined === "1" };
  }
}
