import { setTimeout as sleep } from "node:timers/promises";
import { Backoff } from "@tts-labs/core/async/backoff";
import type { GatewayError } from "@tts-labs/core/errors";
import type { SpeechOptions } from "@tts-labs/core/protocol/speech-options";
import type { Slot } from "./slots.ts";
import type { Synthesis, Synthesizer } from "./synthesizer.ts";

/** Longest pause between two sockets of one utterance; by then its listener has heard silence for as long. */
const MAX_PAUSE_MS = 2_000;

export interface RunSocketsOptions {
  readonly synthesizer: Synthesizer;
  readonly speech: SpeechOptions;
  readonly slot: Slot;
  /** Pause before a further socket when the provider has too much to do, or the one before came to nothing. */
  readonly pauseMs: number;
}

/** The provider sockets of one utterance, one after the other: the first from the pool, all others fresh. */
export class RunSockets {
  readonly #options: RunSocketsOptions;
  readonly #backoff: Backoff;
  #tried = 0;
  #opening: Synthesis["opening"] | undefined;
  /** The one before has made no sound. */
  #inVain = false;

  constructor(options: RunSocketsOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ firstMs: options.pauseMs, maxMs: MAX_PAUSE_MS });
  }

  get tried(): number {
    return this.#tried;
  }

  /** How the last one was had. */
  get opening(): Synthesis["opening"] | undefined {
    return this.#opening;
  }

  /** The last one has made a sound. */
  heard(): void {
    this.#inVain = false;
    this.#backoff.reset();
  }

  /**
   * @param after the fault of the one before
   * @param pace whether those who come to nothing are spaced out; the one retry before any sound is not
   * @throws GatewayError `provider.*`, or the signal's reason
   */
  async open(
    after: GatewayError | undefined,
    pace: "at-once" | "spaced",
    signal: AbortSignal,
  ): Promise<Synthesis> {
    const { synthesizer, speech, slot } = this.#options;
    const pauses = after?.code === "provider.overloaded" || (pace === "spaced" && this.#inVain);
    if (pauses) await sleep(this.#backoff.nextMs(), undefined, { signal });
    this.#tried += 1;
    this.#inVain = true;
    if (after !== undefined) await slot.move();
    const synthesis =
      after === undefined
        ? await synthesizer.open(speech, signal, slot.keyId)
        : await synthesizer.openFresh(speech, signal, slot.keyId);
    this.#opening = synthesis.opening;
    return synthesis;
  }
}
