import type { UtteranceJob } from "@tts-labs/core/queue/utterance-job";
import type { SessionServices } from "../services.ts";
import type { DueText } from "./due-text.ts";
import type { UtteranceText } from "./utterance-text.ts";

export interface WorkerRequestOptions {
  readonly services: Pick<SessionServices, "queue" | "streams" | "background" | "asksAtOnce">;
  readonly text: UtteranceText;
  readonly due: DueText;
  readonly toJob: () => UtteranceJob;
  /** Longest wait without any text while there is nothing to speak. */
  readonly limitMs: number;
  /** A worker was asked over an earlier connection. */
  readonly isAsked: boolean;
}

/** Asks for a worker once there is something to speak, and again where one has left for want of text. */
export class WorkerRequest {
  readonly #options: WorkerRequestOptions;
  #isAsked: boolean;
  #askedAtMs = performance.now();
  #isLooking = false;
  #isOver = false;

  constructor(options: WorkerRequestOptions) {
    this.#options = options;
    this.#isAsked = options.isAsked;
  }

  get isAsked(): boolean {
    return this.#isAsked;
  }

  /** `performance.now()`. */
  get askedAtMs(): number {
    return this.#askedAtMs;
  }

  /** Something is there to be spoken. */
  get mayAsk(): boolean {
    return this.#options.due.isDue || this.#options.services.asksAtOnce === true;
  }

  /** @throws GatewayError `storage.*` */
  async ask(): Promise<void> {
    this.#isAsked = true;
    this.#askedAtMs = performance.now();
    await this.#options.services.queue.add(this.#options.toJob());
  }

  /** Until then the utterance waits as text. @throws GatewayError `session.text_timeout`, `storage.*` */
  async askOnceDue(): Promise<void> {
    if (this.#isAsked) return;
    const { due, limitMs } = this.#options;
    await due.wait(limitMs);
    if (!this.#isOver && due.isDue) await this.ask();
  }

  /** To be called with each piece of text: after a pause a worker may have left until there is more to speak. */
  askAgain(): void {
    if (!this.#isAsked || this.#isOver || this.#isLooking || !this.#options.due.isDueAgain) return;
    this.#isLooking = true;
    const looked = this.#askIfParked().finally(() => {
      this.#isLooking = false;
    });
    this.#options.services.background.add("worker asked again", looked);
  }

  /** Whether an utterance that was left after entry `readSeq` of its text still waits for more. */
  mayRest(readSeq: number): boolean {
    const { text, due } = this.#options;
    return text.storedSeq <= readSeq || !due.isDueAgain;
  }

  /** It is wanted no more, or left to others. */
  stop(): void {
    this.#isOver = true;
    this.#options.due.stop();
  }

  /** What can't be seen to now is by the second witness. */
  async #askIfParked(): Promise<void> {
    const { services, text, due, toJob } = this.#options;
    // In this order nothing is missed: see `StreamWriter.park`.
    await text.store();
    const job = toJob();
    const found = await services.streams.inspect({ tag: job.utteranceId, name: "audio" });
    const isParked = found?.parkedAfter !== undefined && found.end === undefined;
    if (isParked && !this.#isOver) await services.queue.add(job, found.fence + 1);
    due.seenTo();
  }
}
