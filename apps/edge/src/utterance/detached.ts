import type { SessionRecord, UtteranceRecord } from "@tts-labs/core/session/live-registry";
import type { SessionHold } from "@tts-labs/core/session/session-store";
import type { GatewayError } from "@tts-labs/protocol/errors";
import type { Caller } from "../access/caller.ts";
import type { SessionServices, SessionSettings } from "../services.ts";
import { takeOverText } from "../speech/stored-text.ts";
import { UtteranceText } from "../speech/utterance-text.ts";

/** What a session whose connection was lost leaves behind. */
export interface Detached {
  readonly record: SessionRecord;
  /** Of its last connection. */
  readonly caller: Caller;
  readonly utterances: readonly UtteranceRecord[];
  /** What workers may be making for them. */
  readonly streamIds: readonly string[];
  readonly hold: SessionHold;
}

export interface DetachedSessionOptions extends Detached {
  readonly services: SessionServices;
  readonly settings: SessionSettings;
  /** It was resumed elsewhere, or is over. */
  readonly onGone: () => void;
}

/**
 * A session whose client has lost its connection. Nothing of it is kept here but its name: its utterances go on
 * being made within their streams' bounds, and whichever edge the client comes back to finds everything in
 * Redis. When no client has come back in time, its holder ends it, here; should this edge die before, its records'
 * TTLs and the workers' own limits do.
 */
export class DetachedSession {
  readonly sessionId: string;
  readonly #options: DetachedSessionOptions;
  readonly #timer: NodeJS.Timeout;
  #isOver = false;

  constructor(options: DetachedSessionOptions) {
    const { record, services, settings } = options;
    this.#options = options;
    this.sessionId = record.sessionId;
    this.#timer = setTimeout(() => this.expire(), settings.resumeWindowMs);
    services.observer.sessionDetached(1);
    services.background.add("detached session kept", options.hold.refresh());
    this.refresh();
  }

  get keyId(): string | undefined {
    return this.#options.caller.keyId;
  }

  /** Which of the session's connections it was. */
  get epoch(): number {
    return this.#options.hold.epoch;
  }

  /** Keeps it in the live view. */
  refresh(): void {
    const { record, utterances, services, settings } = this.#options;
    if (this.#isOver) return;
    const { registry, background } = services;
    background.add("detached session listed", registry.putSession(record, settings.liveTtlMs));
    for (const it of utterances) {
      background.add("utterance listed", registry.putUtterance(it, settings.liveTtlMs));
    }
  }

  /** Another connection has it, or this edge goes: the next holder finds it in Redis. Safe to call twice. */
  letGo(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    const { hold, services, onGone } = this.#options;
    hold.letGo();
    services.observer.sessionDetached(-1);
    onGone();
  }

  /** Nobody has come back. May be called twice. */
  expire(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    const { services, onGone } = this.#options;
    services.observer.sessionDetached(-1);
    services.background.add("detached session ended", this.#end());
    onGone();
  }

  async #end(): Promise<void> {
    const { hold, utterances, streamIds, services } = this.#options;
    const isOurs = await hold.remove();
    if (!isOurs) return;
    await Promise.all([
      services.registry.removeSession(this.sessionId),
      ...utterances.map(({ utteranceId }) => services.registry.removeUtterance(utteranceId)),
      ...streamIds.map((streamId) => this.#abandon(streamId)),
    ]);
  }

  async #abandon(utteranceId: string): Promise<void> {
    const { services, settings } = this.#options;
    const { streams, nodeId } = services;
    const ttlMs = settings.streamTtlMs;
    const restored = await takeOverText(streams, { nodeId, utteranceId, ttlMs });
    if (restored !== undefined) {
      const onFailed = (error: GatewayError) => services.logger.debug({ err: error }, "text not ended");
      const text = new UtteranceText({ streams, utteranceId, owner: nodeId, ttlMs, onFailed, restored });
      await text.cancel();
      text.close();
    }
    await Promise.all([
      streams.remove({ tag: utteranceId, name: "text" }, "soon"),
      streams.remove({ tag: utteranceId, name: "audio" }, "last-reader"),
    ]);
  }
}
