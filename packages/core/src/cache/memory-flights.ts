import { type Boarding, FLIGHT_TTL_MS, type Flights } from "./flights.ts";

/** Flights of one process, for tests and for those who run without Redis. */
export class MemoryFlights implements Flights {
  readonly #ttlMs: number;
  readonly #leaders = new Map<string, { readonly utteranceId: string; readonly untilMs: number }>();

  constructor(options: { readonly ttlMs?: number } = {}) {
    this.#ttlMs = options.ttlMs ?? FLIGHT_TTL_MS;
  }

  async board(key: string, utteranceId: string, replacing?: string): Promise<Boarding> {
    const leader = this.#leader(key);
    if (leader !== undefined && leader !== replacing && leader !== utteranceId) {
      return { kind: "join", utteranceId: leader };
    }
    this.#leaders.set(key, { utteranceId, untilMs: Date.now() + this.#ttlMs });
    return { kind: "lead" };
  }

  async renew(key: string, utteranceId: string): Promise<boolean> {
    if (this.#leader(key) !== utteranceId) return false;
    this.#leaders.set(key, { utteranceId, untilMs: Date.now() + this.#ttlMs });
    return true;
  }

  async land(key: string, utteranceId: string): Promise<void> {
    if (this.#leader(key) === utteranceId) this.#leaders.delete(key);
  }

  #leader(key: string): string | undefined {
    const found = this.#leaders.get(key);
    if (found !== undefined && found.untilMs <= Date.now()) this.#leaders.delete(key);
    return this.#leaders.get(key)?.utteranceId;
  }
}
