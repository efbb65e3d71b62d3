import type { RunUtteranceJob } from "@tts-labs/core/queue/utterance-job";
import type { RunRoles } from "./run-roles.ts";
import { UtteranceRun } from "./utterance-run.ts";

/** What is done with a job: one run, which tells its outcome by itself. */
export function utteranceRunner(roles: RunRoles): RunUtteranceJob {
  return async (job, signal) => {
    await new UtteranceRun(job, roles).run(signal);
  };
}
