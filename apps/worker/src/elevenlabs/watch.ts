import { LazyTimer, monotonicMs } from "@tts-labs/core/async/lazy-timer";
import { type DueKind, nextDue, type ProviderDeadlines, type WaitFacts } from "./deadlines.ts";

/** What only the socket's owner knows. */
export type OwnerFacts = Pick<
  WaitFacts,
  "state" | "sinceMs" | "unused" | "waiting" | "hasBegun" | "patient" | "mayKeepAlive"
>;

/**
 * Keeps all deadlines of one socket with one timer: it remembers when was last read, sent, pinged and
 * answered, and tells the owner when something is due.
 */
export class Watch {
  readonly #deadlines: ProviderDeadlines;
  readonly #facts: () => OwnerFacts;
  readonly #onDue: (due: DueKind) => void;
  // What the kernel already holds is read before a deadline is judged, however late the timer was.
  readonly #timer: LazyTimer = new LazyTimer(() => setImmediate(() => this.#look()));
  #readingSinceMs: number | undefined = monotonicMs();
  #pingedAtMs = monotonicMs();
  #answered = true;
  #lastSentAtMs = monotonicMs();
  #stopped = false;

  constructor(deadlines: ProviderDeadlines, facts: () => OwnerFacts, onDue: (due: DueKind) => void) {
    this.#deadlines = deadlines;
    this.#facts = facts;
    this.#onDue = onDue;
  }

  get readingSinceMs(): number | undefined {
    return this.#readingSinceMs;
  }

  /** Something has changed: looks again what is due next. */
  rearm(): void {
    if (this.#stopped) return;
    const due = this.#nextDue();
    if (due !== undefined) this.#timer.wakeBy(due.atMs);
  }

  sent(): void {
    this.#lastSentAtMs = monotonicMs();
    this.rearm();
  }

  pinged(): void {
    this.#pingedAtMs = monotonicMs();
    this.#answered = false;
    this.rearm();
  }

  /** Anything at all was received. */
  heard(): void {
    this.#answered = true;
    this.rearm();
  }

  paused(): void {
    this.#readingSinceMs = undefined;
  }

  resumed(): void {
    this.#readingSinceMs = monotonicMs();
    this.rearm();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer.cancel();
  }

  #look(): void {
    if (this.#stopped) return;
    const due = this.#nextDue();
    if (due !== undefined && due.atMs <= monotonicMs()) this.#onDue(due.kind);
    this.rearm();
  }

  #nextDue() {
    return nextDue(
      {
        ...this.#facts(),
        readingSinceMs: this.#readingSinceMs,
        pingedAtMs: this.#pingedAtMs,
        answered: this.#answered,
        lastSentAtMs: this.#lastSentAtMs,
      },
      this.#deadlines,
    );
  }
}
