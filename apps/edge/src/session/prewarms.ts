import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import { type RequestedOptions, toSpeechOptions } from "@tts-labs/protocol/speech-options";
import type { SessionOptions } from "./session-options.ts";

/** Wishes of one session that wait for their answers; beyond it they are refused. As many as its budget lets come at once. */
const MAX_WAITING = 64;

export interface Prewarmed {
  readonly voice: string;
  readonly model: string;
  /** What speech with these options is spared. */
  readonly connectMs: number;
}

/** The routes that one session wishes warm. Each wish is answered within the time in which a worker has to take work. */
export class Prewarms {
  readonly #options: Pick<SessionOptions, "services" | "settings">;
  readonly #closing = new AbortController();
  #waiting = 0;

  constructor(options: Pick<SessionOptions, "services" | "settings">) {
    this.#options = options;
  }

  async ask(requested: RequestedOptions): Promise<Prewarmed> {
    const { services, settings } = this.#options;
    this.#closing.signal.throwIfAborted();
    if (this.#waiting >= MAX_WAITING) {
      services.observer.budgetReached("prewarms", "refused");
      throw tooManyWaiting();
    }
    const speech = toSpeechOptions(requested, settings.defaults);
    this.#waiting++;
    try {
      const connectMs = await services.routes.warm(speech, settings.pickupTimeoutMs, this.#closing.signal);
      services.observer.prewarmed("warm");
      return { voice: speech.voice, model: speech.model, connectMs };
    } catch (error) {
      services.observer.prewarmed(toGatewayError(error).code);
      throw error;
    } finally {
      this.#waiting--;
    }
  }

  /** What waits ends without an answer. May be called twice. */
  close(): void {
    this.#closing.abort(new GatewayError("cancelled.client_gone"));
  }
}

const tooManyWaiting = () =>
  new GatewayError("capacity.overloaded", `${MAX_WAITING} prewarm messages wait for their answers already.`, {
    facts: { budget: "prewarms", limit: MAX_WAITING },
  });
