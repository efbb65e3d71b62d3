import type { SlotLease } from "@tts-labs/core/governor/governor";
import type { SpeechOptions } from "@tts-labs/core/protocol/speech-options";
import type { ProviderHealth } from "./provider-health.ts";
import type { Slot, Slots } from "./slots.ts";

/** Where slots come from: the fleet's governor, or this process where the plan knows no limit. */
export interface LeaseSource {
  acquire(signal: AbortSignal): Promise<SlotLease>;
}

/**
 * The provider's slots as runs see them: nobody waits for a slot of a provider that is not to be asked, and
 * who already waits when that becomes known is told at once.
 */
export class ProviderSlots implements Slots {
  readonly #source: LeaseSource;
  readonly #health: ProviderHealth;
  readonly #waiting = new Set<AbortController>();
  readonly #unsubscribe: () => void;

  constructor(source: LeaseSource, health: ProviderHealth) {
    this.#source = source;
    this.#health = health;
    this.#unsubscribe = health.onChange(() => this.#turnAway());
  }

  async acquire(_speech: SpeechOptions, signal: AbortSignal): Promise<Slot> {
    const refusal = this.#health.refusal;
    if (refusal !== undefined) throw refusal;
    const turnedAway = new AbortController();
    this.#waiting.add(turnedAway);
    try {
      return await this.#source.acquire(AbortSignal.any([signal, turnedAway.signal]));
    } finally {
      this.#waiting.delete(turnedAway);
    }
  }

  close(): void {
    this.#unsubscribe();
  }

  #turnAway(): void {
    if (this.#waiting.size === 0) return;
    const refusal = this.#health.refusal;
    if (refusal === undefined) return;
    for (const waiting of this.#waiting) waiting.abort(refusal);
  }
}

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
