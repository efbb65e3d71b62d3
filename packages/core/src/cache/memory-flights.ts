import { type Boarding, FLIGHT_TTL_MS, type Flights } from "./flights.ts";

interface Leader {
  readonly utteranceId: string;
  untilMs: number;
  joined: boolean;
}

/** Flights of one process, for tests and for those who run without Redis. */
export class MemoryFlights implements Flights {
  readonly #ttlMs: number;
  readonly #leaders = new Map<string, Leader>();

  constructor(options: { readonly ttlMs?: number } = {}) {
    this.#ttlMs = options.ttlMs ?? FLIGHT_TTL_MS;
  }

  async board(key: string, utteranceId: string, replacing?: string): Promise<Boarding> {
    const leader = this.#leader(key);
    if (leader !== undefined && leader.utteranceId !== replacing && leader.utteranceId !== utteranceId) {
      leader.joined = true;
      return { kind: "join", utteranceId: leader.utteranceId };
    }
    this.#leaders.set(key, { utteranceId, untilMs: Date.now() + this.#ttlMs, joined: false });
    return { kind: "lead" };
  }

  async renew(key: string, utteranceId: string): Promise<"alone" | "joined" | "lost"> {
    const leader = this.#leader(key);
    if (leader?.utteranceId !== utteranceId) return "lost";
    leader.untilMs = Date.now() + this.#ttlMs;
    return leader.joined ? "joined" : "alone";
  }

  async leave(key: string, utteranceId: string): Promise<"alone" | "joined"> {
    const leader = this.#leader(key);
    if (leader?.utteranceId === utteranceId && leader.joined) return "joined";
    await this.land(key, utteranceId);
    return "alone";
  }

  async land(key: string, utteranceId: string): Promise<"alone" | "joined"> {
    const leader = this.#leader(key);
    if (leader?.utteranceId !== utteranceId) return "alone";
    this.#leaders.delete(key);
    return leader.joined ? "joined" : "alone";
  }

  #leader(key: string): Leader | undefined {
    const found = this.#leaders.get(key);
    if (found !== undefined && found.untilMs <= Date.now()) this.#leaders.delete(key);
    return this.#leaders.get(key);
  }
}
