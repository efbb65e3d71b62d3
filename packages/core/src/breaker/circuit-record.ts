import type { RedisConnection } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { Script } from "../redis/script.ts";

export interface BreakerSettings {
  /** Faults in a row, seen by any process, that open a circuit; 0: it never opens. */
  readonly faults: number;
  readonly openMs: number;
  /** Longest a probe may take; after that another one may be made. */
  readonly probeMs: number;
  /** How often a mirror is compared with Redis, should a message have been lost. */
  readonly pullEveryMs: number;
}

/** The probe may take as long as a connect and the wait for first audio together, each at its deadline. */
export const DEFAULT_BREAKER: BreakerSettings = {
  faults: 3,
  openMs: 60_000,
  probeMs: 20_000,
  pullEveryMs: 500,
};

/** The state of a circuit, in durations, so that no two clocks need agree. */
export interface CircuitSnapshot {
  /** Rises with every change. */
  readonly at: number;
  readonly faults: number;
  /** Until a probe may be made; `undefined` while closed. */
  readonly opensInMs: number | undefined;
  /** What a probe under way has left; 0 if there is none. */
  readonly probingMs: number;
}

export type CircuitEvent = "look" | "fault" | "success" | "probe" | "drop";

const script = new Script("circuit");
/** A circuit that has not changed for this long is closed and forgotten. */
const IDLE_TTL_MS = 600_000;

/** A circuit as Redis has it. */
export class CircuitRecord {
  readonly name: string;
  readonly #redis: RedisConnection;
  readonly #key: string;
  readonly #args: readonly number[];

  constructor(redis: RedisConnection, keys: Keys, name: string, settings: BreakerSettings) {
    this.name = name;
    this.#redis = redis;
    this.#key = keys.circuit(name);
    const { faults, openMs, probeMs } = settings;
    this.#args = [faults, openMs, probeMs, openMs + probeMs + IDLE_TTL_MS];
  }

  /** @throws GatewayError `storage.*` */
  async tell(
    event: CircuitEvent,
    token = "",
  ): Promise<{ readonly now: CircuitSnapshot; readonly changed: boolean; readonly hasProbe: boolean }> {
    const answer = await script.run(this.#redis, [this.#key], [event, token, ...this.#args]);
    return { now: parseSnapshot(answer), changed: answer[4] === "1", hasProbe: answer[5] === "1" };
  }
}

function parseSnapshot([at, faults, opensInMs, probingMs]: readonly string[]): CircuitSnapshot {
  return {
    at: Number(at),
    faults: Number(faults),
    opensInMs: opensInMs === "-1" ? undefined : Number(opensInMs),
    probingMs: Number(probingMs),
  };
}

/** For the channel on which changes are told. */
export const encodeChange = (name: string, { at, faults, opensInMs, probingMs }: CircuitSnapshot): string =>
  [at, faults, opensInMs ?? -1, probingMs, name].join(" ");

export function parseChange(message: string): { readonly name: string; readonly snapshot: CircuitSnapshot } {
  const [at = "", faults = "", opensInMs = "", probingMs = "", ...name] = message.split(" ");
  return { name: name.join(" "), snapshot: parseSnapshot([at, faults, opensInMs, probingMs]) };
}
