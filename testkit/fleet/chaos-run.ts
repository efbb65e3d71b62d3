import { type RunOptions, type RunResult, runScenario } from "../../scripts/chaos/run-scenario.ts";
import type { Scenario } from "../../scripts/chaos/scenario.ts";

/** The same seed each time: a failure can be had again by `npm run chaos -- <name> --utterances 10 --sessions 10`. */
const SEED = 1;
/** Both ways run at once, 16 processes: 15 to 45 s where others are at work as well. */
export const LIMIT_MS = 120_000;

/** A scenario of `npm run chaos`, smaller: ten sessions of at least two utterances each, the last words included. */
export const runSmall = (
  scenario: Scenario,
  how: Pick<RunOptions, "unprotected" | "cache"> = {},
): Promise<RunResult> => runScenario(scenario, { utterances: 10, sessions: 10, seed: SEED, ...how });
