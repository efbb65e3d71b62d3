import type { Random } from "../../testkit/ground/random.ts";
import type { Fleet, FleetOptions, ProgramEnvironments } from "../supervisor/fleet.ts";
import type { ChaosRedis, RedisKind } from "./fleet/chaos-redis.ts";
import type { FrontDoor } from "./fleet/front-door.ts";
import type { SpokenText } from "./listener/texts.ts";
import type { Promises } from "./promises.ts";

export interface SystemPlan {
  readonly redis: RedisKind;
  readonly edges: number;
  readonly workers: number;
  readonly env: ProgramEnvironments;
  /** Entry files of programs without a protection. */
  readonly files?: FleetOptions["files"];
}

export interface LoadPlan {
  /** At once; each speaks one utterance after the other. */
  readonly sessions: number;
  /** The number beyond which they would get into each other's way. */
  readonly maxSessions?: number;
  readonly delivery: "burst" | "paced";
  /** False: clients that know nothing of resuming. */
  readonly resume: boolean;
}

/** What a scenario has at hand while sessions speak. */
export interface Stage {
  readonly fleet: Fleet;
  readonly redis: ChaosRedis;
  readonly door: FrontDoor;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** As many utterances have ended as were asked for. */
  readonly enough: boolean;
  /** Resolves when this many utterances have ended since the start, or enough have. */
  ended(count: number): Promise<void>;
  /** Waits, but no longer than there is need for more harm. */
  pause(ms: number): Promise<void>;
  /** Notes that harm has been done now; `what` is shown. */
  struck(what: string): void;
}

/** One way in which things go wrong, and what must hold all the same. */
export interface Scenario {
  readonly name: string;
  /** One line, for `--list`. */
  readonly about: string;
  readonly system: SystemPlan;
  readonly load: LoadPlan;
  readonly promises: Promises;
  /** How what protects against this is taken away: the same run must then break a promise. */
  readonly unprotected: {
    readonly about: string;
    readonly system?: Partial<SystemPlan>;
    readonly load?: Partial<LoadPlan>;
    /** Harm beyond what is protected against, for when nothing can be switched off. */
    readonly harm?: Scenario["harm"];
    readonly before?: NonNullable<Scenario["before"]>;
  };
  /** What the sessions say; default: texts of 3 to 12 s, half of them word by word. */
  readonly text?: (session: number, turn: number) => SpokenText;
  /** Runs right before an utterance is asked for. */
  readonly before?: (stage: Stage, session: number, turn: number, spoken: SpokenText) => Promise<void>;
  /** Runs beside the load; the load goes on until it is over. */
  readonly harm: (stage: Stage) => Promise<void>;
}
