import { type RunResult, runScenario } from "../../scripts/chaos/run-scenario.ts";
import type { Scenario } from "../../scripts/chaos/scenario.ts";

/** The same seed each time: a failure can be had again by `npm run chaos -- <name> --utterances 20 --sessions 10`. */
const SEED = 1;

/** A scenario of `npm run chaos`, smaller: two utterances for each of ten sessions, and last words. */
export const runSmall = (
  scenario: Scenario,
  { unprotected = false }: { readonly unprotected?: boolean } = {},
): Promise<RunResult> => runScenario(scenario, { utterances: 20, sessions: 10, seed: SEED, unprotected });
