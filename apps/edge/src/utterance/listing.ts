import type { LiveRegistry, UtteranceRecord } from "@tts-labs/core/session/live-registry";
import type { BackgroundWork } from "../background-work.ts";

export interface UtteranceListingOptions {
  readonly registry: LiveRegistry;
  readonly background: BackgroundWork;
  readonly utteranceId: string;
  readonly ttlMs: number;
}

/** An utterance's place in the live view, once it is worth one. */
export class UtteranceListing {
  readonly #options: UtteranceListingOptions;
  #listed: Promise<void> | undefined;

  constructor(options: UtteranceListingOptions) {
    this.#options = options;
  }

  /** Lists it, or keeps it there. */
  put(record: UtteranceRecord): void {
    const { registry, background, ttlMs } = this.#options;
    this.#listed = registry.putUtterance(record, ttlMs);
    background.add("utterance listed", this.#listed);
  }

  show(state: UtteranceRecord["state"]): void {
    const { registry, background, utteranceId } = this.#options;
    if (this.#listed === undefined) return;
    background.add("utterance's state shown", registry.updateUtterance(utteranceId, { state }));
  }

  /** Not before it is listed, or the listing would outlive it. @throws GatewayError `storage.*` */
  async remove(): Promise<void> {
    if (this.#listed === undefined) return;
    await this.#listed.catch(() => undefined);
    await this.#options.registry.removeUtterance(this.#options.utteranceId);
  }
}
