import type { SlotLease } from "@tts-labs/core/governor/governor";
import type { Turn } from "@tts-labs/core/governor/slots-record";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import type { ProviderHealth } from "./provider-health.ts";
import type { Slot, Slots } from "./slots.ts";

/** The source of slots: the fleet's governor, or this process where the plan knows no limit. */
export interface LeaseSource {
  /** @param ageMs of the utterance that wants it */
  acquire(signal: AbortSignal, ageMs: number, turn?: Turn): Promise<SlotLease>;
}

export interface ProviderSlotsOptions {
  readonly source: LeaseSource;
  readonly health: ProviderHealth;
  /**
   * Called with the number of runs that wait to speak like this, so that a slot, once granted, need not wait for a
   * socket.
   */
  readonly expect: (speech: SpeechOptions, count: number) => void;
  /** More than so many need not be expected: no more are let in at once. */
  readonly mostExpected: number;
}

/**
 * The provider's slots as runs see them: no run waits for a slot of a provider that is not to be asked, and
 * a run that already waits when that becomes known is told at once.
 */
export class ProviderSlots implements Slots {
  readonly #options: ProviderSlotsOptions;
  readonly #source: LeaseSource;
  readonly #health: ProviderHealth;
  /** Waiting runs by speech options; options without any are not in it. */
  readonly #expected = new Map<string, number>();
  readonly #waiting = new Set<AbortController>();
  readonly #unsubscribe: () => void;

  constructor(options: ProviderSlotsOptions) {
    this.#options = options;
    this.#source = options.source;
    this.#health = options.health;
    this.#unsubscribe = options.health.onChange(() => this.#turnAway());
  }

  async acquire(
    speech: SpeechOptions,
    signal: AbortSignal,
    cameAtMs = Date.now(),
    turn?: Turn,
  ): Promise<Slot> {
    const refusal = this.#health.refusal;
    if (refusal !== undefined) throw refusal;
    const turnedAway = new AbortController();
    this.#waiting.add(turnedAway);
    this.#expect(speech, 1);
    try {
      const either = AbortSignal.any([signal, turnedAway.signal]);
      return await this.#source.acquire(either, Date.now() - cameAtMs, turn);
    } finally {
      this.#waiting.delete(turnedAway);
      this.#expect(speech, -1);
    }
  }

  close(): void {
    this.#unsubscribe();
  }

  #expect(speech: SpeechOptions, more: number): void {
    const { expect, mostExpected } = this.#options;
    if (mostExpected === 0) return;
    const key = JSON.stringify(speech);
    const count = (this.#expected.get(key) ?? 0) + more;
    if (count === 0) this.#expected.delete(key);
    else this.#expected.set(key, count);
    expect(speech, Math.min(count, mostExpected));
  }

  #turnAway(): void {
    if (this.#waiting.size === 0) return;
    const refusal = this.#health.refusal;
    if (refusal === undefined) return;
    for (const waiting of this.#waiting) waiting.abort(refusal);
  }
}

/** The second source from the moment on when a limit is known; until then the first. */
export const switchingLeases = (
  unlimited: LeaseSource,
  limited: LeaseSource,
  isLimited: () => boolean,
): LeaseSource => ({
  acquire: (signal, ageMs, turn) => (isLimited() ? limited : unlimited).acquire(signal, ageMs, turn),
});

/** Any number of slots, spread over the keys that may serve: the least used first. */
export function localLeases(keyIds: readonly string[], mayServe: (keyId: string) => boolean): LeaseSource {
  const held = new Map(keyIds.map((keyId) => [keyId, 0]));
  const add = (keyId: string, count: number) => held.set(keyId, (held.get(keyId) ?? 0) + count);
  const least = (among: readonly string[]) =>
    among.reduce<string | undefined>(
      (best, keyId) => (best === undefined || (held.get(keyId) ?? 0) < (held.get(best) ?? 0) ? keyId : best),
      undefined,
    );
  return {
    acquire: async (signal) => {
      signal.throwIfAborted();
      let keyId = least(keyIds.filter(mayServe)) ?? least(keyIds) ?? "";
      let isHeld = true;
      add(keyId, 1);
      return {
        get keyId() {
          return keyId;
        },
        move: async () => {
          const other = least(keyIds.filter((it) => it !== keyId && mayServe(it)));
          if (other === undefined || !isHeld) return false;
          add(keyId, -1);
          add(other, 1);
          keyId = other;
          return true;
        },
        release: () => {
          if (isHeld) add(keyId, -1);
          isHeld = false;
        },
      };
    },
  };
}
