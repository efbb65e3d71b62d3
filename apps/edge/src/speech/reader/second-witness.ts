import type { UtteranceJob, UtteranceQueue } from "@tts-labs/core/queue/utterance-job";
import type { StreamStore } from "@tts-labs/core/stream/stream";
import type { SessionServices } from "../../services.ts";

const LOOK_EVERY_MS = 1_000;
/** Looks in a row that must have found no worker: an utterance that changes hands just then is left alone. */
const LOOKS_BEFORE_ACTING = 2;

export interface SecondWitnessOptions {
  readonly streams: Pick<StreamStore, "inspect">;
  readonly queue: Pick<UtteranceQueue, "add" | "isQueued">;
  readonly job: UtteranceJob;
  readonly onEnqueued: (fence: number) => void;
  /**
   * Whether an utterance that was left for want of text still waits for some; absent: always.
   * @param readSeq last entry of its text that was read by the worker that left it
   */
  readonly mayRest?: (readSeq: number) => boolean;
  /** Default 1 s; tests shorten it. */
  readonly everyMs?: number;
}

/**
 * The edge that waits for an utterance's audio sees when no worker makes it any more: it has no end, no owner that
 * shows itself alive, and no job that BullMQ would give to another worker (lost with Redis' memory, say). Then its
 * job is enqueued again, under the fence that its next owner will have, so that many witnesses enqueue it once.
 * Whether that helps is not its business: every wait has a deadline.
 */
export class SecondWitness {
  readonly #options: SecondWitnessOptions;
  #unattended = 0;

  constructor(options: SecondWitnessOptions) {
    this.#options = options;
  }

  /** From now on, while audio is waited for. @returns what ends it */
  watch(): () => void {
    let looking = false;
    let stopped = false;
    this.#unattended = 0;
    const look = async () => {
      if (looking) return;
      looking = true;
      // While Redis can't be asked nothing is known.
      await this.#look(() => stopped).catch(() => {});
      looking = false;
    };
    const timer = setInterval(() => void look(), this.#options.everyMs ?? LOOK_EVERY_MS);
    return () => {
      stopped = true;
      clearInterval(timer);
    };
  }

  async #look(isStopped: () => boolean): Promise<void> {
    const { streams, queue, job, onEnqueued } = this.#options;
    const { utteranceId } = job;
    const found = await streams.inspect({ tag: utteranceId, name: "audio" });
    const fence = (found?.fence ?? 0) + 1;
    const { mayRest = () => true } = this.#options;
    const isResting = found?.parkedAfter !== undefined && mayRest(found.parkedAfter);
    const isAttended =
      found?.end !== undefined ||
      found?.ownerAlive === true ||
      isResting ||
      (await queue.isQueued(utteranceId, fence));
    this.#unattended = isAttended ? 0 : this.#unattended + 1;
    if (this.#unattended < LOOKS_BEFORE_ACTING || isStopped()) return;
    this.#unattended = 0;
    await queue.add({ ...job, enqueuedAtMs: Date.now() }, fence);
    onEnqueued(fence);
  }
}

/** One that says in the log and in the metrics when it has a job enqueued again. */
export function witnessOf(
  job: UtteranceJob,
  { streams, queue, observer, logger }: SessionServices,
  mayRest: (readSeq: number) => boolean,
): SecondWitness {
  const onEnqueued = (fence: number) => {
    observer.jobEnqueuedAgain();
    logger.warn({ utteranceId: job.utteranceId, fence }, "an utterance that nobody made is enqueued again");
  };
  return new SecondWitness({ streams, queue, job, onEnqueued, mayRest });
}
