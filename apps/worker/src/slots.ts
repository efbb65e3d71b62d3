import type { SpeechOptions } from "@tts-labs/core/protocol/speech-options";

/**
 * The provider's concurrent generations: who speaks holds one. How many there are is the plan's business;
 * `WORKER_CONCURRENCY` keeps one worker within it.
 */
export interface Slots {
  /**
   * Waits for a slot. What comes back gives it up; safe to repeat.
   * @throws GatewayError `capacity.slot_timeout`, or the signal's reason
   */
  acquire(speech: SpeechOptions, signal: AbortSignal): Promise<() => void>;
}

/** As many as there are runs. */
export const unlimitedSlots: Slots = {
  acquire: async (_speech, signal) => {
    signal.throwIfAborted();
    return () => {};
  },
};
