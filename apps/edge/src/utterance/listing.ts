import type { UtteranceRecord } from "@tts-labs/core/session/live-registry";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import type { SessionServices, SessionSettings } from "../services.ts";

export interface UtteranceListingOptions {
  readonly utteranceId: string;
  readonly sessionId: string;
  readonly speech: Pick<SpeechOptions, "voice" | "model">;
  readonly createdAtMs: number;
  readonly services: Pick<SessionServices, "registry" | "background" | "nodeId">;
  readonly settings: Pick<SessionSettings, "liveTtlMs">;
}

/** An utterance's place in the live view, once it is worth one. */
export class UtteranceListing {
  readonly #options: UtteranceListingOptions;
  #listed: Promise<void> | undefined;

  constructor(options: UtteranceListingOptions) {
    this.#options = options;
  }

  toRecord(state: UtteranceRecord["state"], queuedFrames: number): UtteranceRecord {
    const { utteranceId, sessionId, speech, createdAtMs, services } = this.#options;
    const { voice, model } = speech;
    return {
      utteranceId,
      sessionId,
      voice,
      model,
      edgeId: services.nodeId,
      state,
      createdAtMs,
      queuedFrames,
    };
  }

  /** Lists it, or keeps it there; not once it has ended. */
  put(record: UtteranceRecord | undefined): void {
    if (record === undefined) return;
    const { services, settings } = this.#options;
    this.#listed = services.registry.putUtterance(record, settings.liveTtlMs);
    services.background.add("utterance listed", this.#listed);
  }

  show(state: UtteranceRecord["state"]): void {
    const { services, utteranceId } = this.#options;
    if (this.#listed === undefined) return;
    const shown = services.registry.updateUtterance(utteranceId, { state });
    services.background.add("utterance's state shown", shown);
  }

  /** It is removed after it is listed, or the listing would outlive it. @throws GatewayError `storage.*` */
  async remove(): Promise<void> {
    if (this.#listed === undefined) return;
    await this.#listed.catch(() => undefined);
    const { services, utteranceId } = this.#options;
    await services.registry.removeUtterance(utteranceId);
  }
}
