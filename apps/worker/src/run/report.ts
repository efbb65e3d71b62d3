import type { ResumePoint } from "@tts-labs/core/audio/word-tracker";
import type { UtteranceJob } from "@tts-labs/core/queue/utterance-job";
import type { LatencyParts, Substitute } from "@tts-labs/core/session/entries";
import type { LiveRegistry } from "@tts-labs/core/session/live-registry";
import type { ErrorCode, GatewayError } from "@tts-labs/protocol/errors";
import type { RunOutcome, RunRoles } from "./roles.ts";
import type { OverState } from "./run-state.ts";
import type { RunSockets } from "./sockets.ts";
import { RunTiming } from "./timing.ts";

/** What is said of a run when it is over. */
export interface RunFacts {
  readonly samples: number;
  readonly characters: number;
  /** Absent where no provider was asked to speak. */
  readonly sockets: RunSockets | undefined;
  /** What it failed of, with its cause. */
  readonly error: GatewayError | undefined;
}

/** What metrics, the live view and the log learn of one run. Never fails, and never tells spoken text. */
export class RunReport {
  /** The run reports here as it goes. */
  readonly timing: RunTiming;
  readonly #job: UtteranceJob;
  readonly #roles: Pick<RunRoles, "live" | "observer" | "logger">;
  /** Changes to the live view, in order; none fails. */
  #noted: Promise<void> = Promise.resolve();

  constructor(job: UtteranceJob, roles: Pick<RunRoles, "live" | "observer" | "logger">) {
    this.timing = new RunTiming(job.enqueuedAtMs);
    this.#job = job;
    this.#roles = roles;
  }

  began(): void {
    this.#roles.observer.began();
  }

  show(change: Parameters<LiveRegistry["updateUtterance"]>[1]): void {
    const { live, logger } = this.#roles;
    this.#noted = this.#noted
      .then(() => live.updateUtterance(this.#job.utteranceId, change))
      .catch((err: unknown) => logger.debug({ err }, "live view not updated"));
  }

  firstAudio(): LatencyParts {
    const latency = this.timing.firstAudio();
    this.#roles.observer.firstAudio(latency);
    return latency;
  }

  retried(after: ErrorCode): void {
    this.#roles.observer.retried(after);
  }

  continued(after: ErrorCode, from: ResumePoint): void {
    const { observer, logger } = this.#roles;
    observer.continued(after);
    logger.info({ utteranceId: this.#job.utteranceId, after, ...from }, "utterance continues");
  }

  substituted(after: ErrorCode, by: Substitute | undefined): void {
    const { observer, logger } = this.#roles;
    observer.substituted(after);
    logger.info({ utteranceId: this.#job.utteranceId, after, ...by }, "utterance goes to a substitute");
  }

  endNotStored(err: GatewayError): void {
    this.#roles.logger.error({ err, utteranceId: this.#job.utteranceId }, "utterance end not stored");
  }

  async ended(over: OverState, facts: RunFacts): Promise<void> {
    const durationMs = this.timing.totalMs();
    await this.#noted;
    const { observer, logger } = this.#roles;
    const { utteranceId, sessionId, requestId } = this.#job;
    const outcome = toRunOutcome(over);
    const { samples, characters, sockets, error } = facts;
    observer.ended(outcome);
    logger.info(
      {
        utteranceId,
        sessionId,
        requestId,
        outcome,
        characters,
        samples,
        sockets: sockets?.tried ?? 0,
        warm: sockets?.opening?.warm,
        latencyMs: this.timing.latency,
        durationMs,
        ...(over.kind === "ended" && over.outcome.kind === "failed" ? { err: error } : {}),
      },
      "utterance ended",
    );
  }
}

function toRunOutcome(over: OverState): RunOutcome {
  if (over.kind !== "ended") return over.kind;
  return over.outcome.kind === "failed" ? over.outcome.code : over.outcome.kind;
}
