import type { Turn } from "@tts-labs/core/governor/slots-record";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";

/** One of the provider's concurrent generations. An utterance holds one from its first words to its end. */
export interface Slot {
  /** The provider key that it counts for; the socket must be opened with it. `undefined`: any. */
  readonly keyId: string | undefined;
  /** To another key, where one has a free slot now: what failed with one key may work with another. */
  move(): Promise<boolean>;
  /** Safe to repeat. */
  release(): void;
}

/** How many there are is the plan's business. */
export interface Slots {
  /**
   * @param cameAtMs when the utterance was asked for (ms since 1970); the first to come is served first
   * @param turn of the tenant that asked for it; tenants take turns while slots are few
   * @throws GatewayError `capacity.slot_timeout`, `provider.circuit_open`, or the signal's reason
   */
  acquire(speech: SpeechOptions, signal: AbortSignal, cameAtMs?: number, turn?: Turn): Promise<Slot>;
}

/** As many as there are runs, of any key. */
export const unlimitedSlots: Slots = {
  acquire: async (_speech, signal) => {
    signal.throwIfAborted();
    return { keyId: undefined, move: async () => false, release: () => {} };
  },
};
