import type { RunUtteranceJob } from "@tts-labs/core/queue/utterance-job";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import type { RunRoles } from "./roles.ts";
import { UtteranceRun } from "./utterance-run.ts";

/**
 * What is done with a job: one run, which tells its outcome by itself, or gives the job back to be another worker's.
 * @param named puts the account's first voice where a request named none and its edge knew none
 */
export function utteranceRunner(
  roles: RunRoles,
  named: (speech: SpeechOptions) => SpeechOptions = (speech) => speech,
): RunUtteranceJob {
  return async (job, signal) => {
    const speech = named(job.speech);
    const isAsKeyed = speech.voice === job.speech.voice;
    const run = new UtteranceRun({ ...job, speech }, isAsKeyed ? roles : withoutIdentity(roles));
    const over = await run.run(signal);
    if (over.kind === "handed-over") throw new GatewayError("draining");
  };
}

/** Speech in another voice than the one it is keyed by is not to be cached: its result names no provider. */
function withoutIdentity({ provider: _unsaid, ...roles }: RunRoles): RunRoles {
  return roles;
}
