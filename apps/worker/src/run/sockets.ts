import { setTimeout as sleep } from "node:timers/promises";
import { Backoff } from "@tts-labs/core/async/backoff";
import type { GatewayError } from "@tts-labs/protocol/errors";
import type { Choice } from "../protection/choices.ts";
import type { Slot } from "../protection/slots.ts";
import type { Synthesis } from "../synthesizer.ts";

/** Longest pause between two sockets of one utterance; by then its listener has heard silence for as long. */
const MAX_PAUSE_MS = 2_000;

/** The provider sockets of one utterance, one after the other: each choice's first from the pool, all others fresh. */
export class RunSockets {
  readonly #backoff: Backoff;
  #by: { readonly choice: Choice; readonly slot: Slot } | undefined;
  #tried = 0;
  #opening: Synthesis["opening"] | undefined;
  /** The one before has made no sound. */
  #inVain = false;
  /** The next one is the first of its choice: what came before says nothing of it. */
  #isFirst = true;

  /** @param pauseMs before a further socket when the provider has too much to do, or the one before came to nothing */
  constructor(pauseMs: number) {
    this.#backoff = new Backoff({ firstMs: pauseMs, maxMs: MAX_PAUSE_MS });
  }

  /** The choice that is asked from now on, while the slot is held. */
  use(choice: Choice, slot: Slot): void {
    this.#by = { choice, slot };
    this.#isFirst = true;
    this.#backoff.reset();
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
    if (this.#by === undefined) throw new RangeError("nobody is to be asked yet");
    const { choice, slot } = this.#by;
    const { synthesizer, speech } = choice;
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    const pauses = after?.code === "provider.overloaded" || (pace === "spaced" && this.#inVain);
    if (pauses && !isFirst) await sleep(this.#backoff.nextMs(), undefined, { signal });
    this.#tried += 1;
    this.#inVain = true;
    if (!isFirst) await slot.move();
    const synthesis = isFirst
      ? await synthesizer.open(speech, signal, slot.keyId)
      : await synthesizer.openFresh(speech, signal, slot.keyId);
    this.#opening = synthesis.opening;
    return synthesis;
  }
}
