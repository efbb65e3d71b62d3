import { GatewayError } from "@tts-labs/core/errors";
import type { RunUtteranceJob } from "@tts-labs/core/queue/utterance-job";
import type { RunRoles } from "./run-roles.ts";
import { UtteranceRun } from "./utterance-run.ts";

/** What is done with a job: one run, which tells its outcome by itself, or gives the job back to be another worker's. */
export function utteranceRunner(roles: RunRoles): RunUtteranceJob {
  return async (job, signal) => {
    const over = await new UtteranceRun(job, roles).run(signal);
    if (over.kind === "handed-over") throw new GatewayError("draining");
  };
}
