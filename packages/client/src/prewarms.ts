import type { ClientMessage, ClientMessageOf, ServerMessageOf } from "@tts-labs/protocol/wire-types";
import { type Deferred, withResolvers } from "./deferred.ts";
import { type SpeakOptions, toWireOptions } from "./speak-options.ts";
import { SpeechError } from "./speech-error.ts";

export interface Prewarmed {
  readonly voice: string;
  readonly model: string;
  /** What speech with these options is spared. */
  readonly connectMs: number;
}

interface Wish {
  readonly message: ClientMessageOf<"prewarm">;
  readonly answer: Deferred<Prewarmed>;
  readonly late: ReturnType<typeof setTimeout>;
}

/** Wishes that wait for their answers; beyond it they are refused, as the server would. */
const MAX_WAITING = 64;
/** A server answers within 10 s by default; one that does not know of answers never does. */
const ANSWER_LIMIT_MS = 30_000;

/** The routes that one client wishes warm. A wish outlives its connection: it is sent again over the next. */
export class Prewarms {
  readonly #link: { send(message: ClientMessage): void };
  readonly #waiting = new Map<string, Wish>();
  #lastId = 0;

  constructor(link: { send(message: ClientMessage): void }) {
    this.#link = link;
  }

  ask(options: SpeakOptions, over: SpeechError | undefined): Promise<Prewarmed> {
    const answer = withResolvers<Prewarmed>();
    // A hint that comes to nothing does no harm where the answer is not awaited.
    answer.promise.catch(() => {});
    if (over !== undefined) answer.reject(over);
    else if (this.#waiting.size >= MAX_WAITING) answer.reject(new SpeechError("capacity.overloaded"));
    else {
      const id = `p${++this.#lastId}`;
      const message: ClientMessageOf<"prewarm"> = {
        type: "prewarm",
        prewarm_id: id,
        ...toWireOptions(options),
      };
      const late = setTimeout(
        () => this.#take(id)?.answer.reject(new SpeechError("worker.unavailable")),
        ANSWER_LIMIT_MS,
      );
      this.#waiting.set(id, { message, answer, late });
      this.#link.send(message);
    }
    return answer.promise;
  }

  /** The connection is another one. */
  repeat(): void {
    for (const { message } of this.#waiting.values()) this.#link.send(message);
  }

  accept({ prewarm_id, voice, model, connect_ms: connectMs }: ServerMessageOf<"prewarmed">): void {
    this.#take(prewarm_id)?.answer.resolve({ voice, model, connectMs });
  }

  /** Takes an error that answers a wish; false where it is about something else. */
  acceptError(error: SpeechError): boolean {
    const id = error.facts["prewarm_id"];
    if (typeof id !== "string") return false;
    this.#take(id)?.answer.reject(error);
    return true;
  }

  end(reason: SpeechError): void {
    for (const id of [...this.#waiting.keys()]) this.#take(id)?.answer.reject(reason);
  }

  #take(id: string | undefined): Wish | undefined {
    const wish = id === undefined ? undefined : this.#waiting.get(id);
    if (id !== undefined) this.#waiting.delete(id);
    clearTimeout(wish?.late);
    return wish;
  }
}
