import { GatewayError } from "@tts-labs/protocol/errors";
import { monotonicMs } from "../async/lazy-timer.ts";
import type { Logger } from "../logger.ts";
import type { BreakerSettings, CircuitEvent, CircuitRecord, CircuitSnapshot } from "./circuit-record.ts";
import { isFaultOfTheSound, verdictOn } from "./faults.ts";
import type { BreakerObserver } from "./observer.ts";

/**
 * Leave to ask the provider once. Exactly one of its ends is told; further ones mean nothing, except for a fault of
 * the sound (`isFaultOfTheSound`), which shows when the first audio has been told as a success.
 */
export interface Permit {
  /** Whether it decides about the circuit. */
  readonly isProbe: boolean;
  /** It has answered. */
  succeeded(): void;
  failed(error: GatewayError): void;
  /** It was not asked after all, or the answer was not waited for. */
  dropped(): void;
}

export interface CircuitParts {
  readonly record: CircuitRecord;
  readonly settings: BreakerSettings;
  readonly observer: BreakerObserver;
  readonly logger: Logger;
  /** Tells all other processes. */
  readonly publish: (snapshot: CircuitSnapshot) => void;
}

/** The wait given to utterances that come while a probe is under way: its result is due about then. */
const PROBE_RETRY_MS = 1_000;

/**
 * A circuit breaker whose state is shared through Redis: faults in a row, seen by any process, open it for all;
 * after a while exactly one request of the whole fleet is let through, and what becomes of it decides.
 *
 * `admit` asks the mirror kept here: Redis is asked only by who would make the probe. The mirror follows
 * what is published on every change, and a look every `pullEveryMs`; it takes only what is newer. Without
 * Redis it holds what was last known, and then counts and probes for this process alone.
 */
export class Circuit {
  readonly name: string;
  readonly #parts: CircuitParts;
  readonly #listeners = new Set<() => void>();
  /** Version last taken from Redis; below all of Redis' while this process goes by what it has seen alone. */
  #at = 0;
  #faults = 0;
  /** Monotonic; `undefined` while closed. */
  #probeFromMs: number | undefined;
  #probingUntilMs = 0;

  constructor(parts: CircuitParts) {
    this.name = parts.record.name;
    this.#parts = parts;
  }

  /** Requests may be sent freely. */
  get isClosed(): boolean {
    return this.#probeFromMs === undefined;
  }

  /** 0 where one may come now: closed, or a probe is due. */
  get retryInMs(): number {
    if (this.#probeFromMs === undefined) return 0;
    const nowMs = monotonicMs();
    if (nowMs < this.#probingUntilMs) return Math.min(this.#probingUntilMs - nowMs, PROBE_RETRY_MS);
    return Math.max(0, this.#probeFromMs - nowMs);
  }

  /** Called after each change. @returns what ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @throws GatewayError `provider.circuit_open` with the time to wait */
  async admit(): Promise<Permit> {
    if (this.isClosed) return this.#permit("");
    if (this.retryInMs > 0) throw this.toOpenError();
    const token = crypto.randomUUID();
    if (await this.#takeProbe(token)) {
      this.#parts.observer.probed(this.name);
      return this.#permit(token);
    }
    if (this.isClosed) return this.#permit("");
    throw this.toOpenError();
  }

  toOpenError(): GatewayError {
    this.#parts.observer.refused(this.name);
    const retryAfterMs = Math.max(PROBE_RETRY_MS, Math.ceil(this.retryInMs));
    return new GatewayError("provider.circuit_open", undefined, { retryAfterMs });
  }

  /** Compares the mirror with Redis. Never throws. */
  async look(): Promise<void> {
    try {
      this.take((await this.#parts.record.tell("look")).now);
    } catch (err) {
      this.#parts.logger.debug({ err, circuit: this.name }, "circuit not looked at");
    }
  }

  /** What Redis or another process says, if it is news. */
  take(snapshot: CircuitSnapshot): void {
    // Redis may have forgotten all. What was known then holds for as long as it was meant to.
    const isForgotten = snapshot.at === 0 && this.retryInMs === 0;
    if (snapshot.at <= this.#at && !isForgotten) return;
    this.#at = snapshot.at;
    const nowMs = monotonicMs();
    this.#become(
      snapshot.faults,
      snapshot.opensInMs === undefined ? undefined : nowMs + snapshot.opensInMs,
      snapshot.probingMs === 0 ? 0 : nowMs + snapshot.probingMs,
    );
  }

  #become(faults: number, probeFromMs: number | undefined, probingUntilMs: number): void {
    const wasClosed = this.isClosed;
    this.#faults = faults;
    this.#probeFromMs = probeFromMs;
    this.#probingUntilMs = probingUntilMs;
    if (wasClosed !== this.isClosed) {
      const state = this.isClosed ? "closed" : "open";
      this.#parts.observer.changed(this.name, state);
      this.#parts.logger.warn({ circuit: this.name, state, faults }, "provider circuit changed");
    }
    for (const listener of [...this.#listeners]) listener();
  }

  #permit(token: string): Permit {
    let told = false;
    const tell = (event: "fault" | "success" | "drop") => {
      if (told) return;
      told = true;
      void this.#tell(event, token);
    };
    const isProbe = token !== "";
    return {
      isProbe,
      succeeded: () => tell("success"),
      failed: (error) => {
        const verdict = verdictOn(error);
        if (told && isFaultOfTheSound(error)) void this.#tell("fault", "");
        else if (verdict === "fault") tell("fault");
        else tell(isProbe && verdict === "alive" ? "success" : "drop");
      },
      dropped: () => tell("drop"),
    };
  }

  /** A success of a healthy provider, by far the most frequent, says nothing new to anybody. */
  async #tell(event: "fault" | "success" | "drop", token: string): Promise<void> {
    const isNews = token !== "" || event === "fault" || (event === "success" && this.#faults > 0);
    if (!isNews || this.#parts.settings.faults === 0) return;
    try {
      await this.#exchange(event, token);
    } catch (err) {
      this.#parts.logger.debug({ err, circuit: this.name }, "circuit counts for this process alone");
      this.#countAlone(event, token);
    }
  }

  async #takeProbe(token: string): Promise<boolean> {
    try {
      return await this.#exchange("probe", token);
    } catch {
      // Others may have begun one meanwhile, or this process another.
      if (this.isClosed || this.retryInMs > 0) return false;
      this.#at = -1;
      this.#become(this.#faults, this.#probeFromMs, monotonicMs() + this.#parts.settings.probeMs);
      return true;
    }
  }

  async #exchange(event: CircuitEvent, token: string): Promise<boolean> {
    const { now, changed, hasProbe } = await this.#parts.record.tell(event, token);
    if (changed) this.#parts.publish(now);
    this.take(now);
    return hasProbe;
  }

  #countAlone(event: "fault" | "success" | "drop", token: string): void {
    const { faults: limit, openMs } = this.#parts.settings;
    const isProbe = token !== "";
    const opensAtMs = monotonicMs() + openMs;
    this.#at = -1;
    if (event === "fault" && isProbe) this.#become(this.#faults, opensAtMs, 0);
    else if (event === "fault" && this.isClosed) {
      this.#become(this.#faults + 1, this.#faults + 1 >= limit ? opensAtMs : undefined, 0);
    } else if (event === "success" && (isProbe || this.isClosed)) this.#become(0, undefined, 0);
    else if (event === "drop" && isProbe) this.#become(this.#faults, this.#probeFromMs, 0);
  }
}
