import { monotonicMs } from "@tts-labs/core/async/lazy-timer";
import type { Logger } from "@tts-labs/core/logger";
import type { ConnectionTrace } from "./connection.ts";
import type { SocketOutcome } from "./connection-state.ts";
import type { ProviderObserver } from "./observer.ts";
import type { Waiting } from "./text/owed-speech.ts";

/** What one socket's life looked like, for metrics and the log: times and ids, never text or keys. */
export class Journal {
  readonly connectingSinceMs: number = monotonicMs();
  readonly #observer: ProviderObserver;
  readonly #logger: Logger;
  #trace: ConnectionTrace = {};
  #openedAtMs: number | undefined;
  #checkedOutAtMs: number | undefined;
  #firstAudioMs: number | undefined;

  constructor(observer: ProviderObserver, logger: Logger) {
    this.#observer = observer;
    this.#logger = logger;
  }

  get openedAtMs(): number | undefined {
    return this.#openedAtMs;
  }

  opened(trace: ConnectionTrace): void {
    this.#trace = trace;
    this.#openedAtMs = monotonicMs();
    this.#observer.connected(this.#openedAtMs - this.connectingSinceMs);
  }

  checkedOut(): void {
    this.#checkedOutAtMs = monotonicMs();
  }

  /** @param waiting what was owed when it came */
  audio(waiting: Waiting): void {
    if (waiting.kind !== "first-audio") return;
    this.#firstAudioMs = monotonicMs() - waiting.sinceMs;
    this.#observer.firstAudio(this.#firstAudioMs);
  }

  /** @param readingSinceMs time that we ourselves did not read is not the provider's */
  final(waiting: Waiting, readingSinceMs: number | undefined, graceMs: number): void {
    if (waiting.kind !== "final" || readingSinceMs === undefined) return;
    const lateMs = monotonicMs() - Math.max(waiting.sinceMs, readingSinceMs);
    if (lateMs > graceMs) this.#observer.lateFinal(lateMs);
  }

  ended(outcome: SocketOutcome, samples: number): void {
    const failed = outcome.kind === "failed";
    if (failed && !outcome.aborted) this.#observer.failed(outcome.phase, outcome.error.code);
    this.#logger.debug(
      {
        ...this.#trace,
        outcome: failed ? outcome.error.code : outcome.kind,
        connectMs: between(this.connectingSinceMs, this.#openedAtMs),
        // Long for a warm socket, next to nothing for a fresh one.
        idleMs: between(this.#openedAtMs, this.#checkedOutAtMs),
        firstAudioMs: this.#firstAudioMs,
        samples,
      },
      "provider socket ended",
    );
  }
}

const between = (fromMs: number | undefined, toMs: number | undefined): number | undefined =>
  fromMs === undefined || toMs === undefined ? undefined : Math.round(toMs - fromMs);
