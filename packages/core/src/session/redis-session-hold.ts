import { MAX_UTTERANCES_PER_SESSION } from "@tts-labs/protocol/limits";
import type { Logger } from "../logger.ts";
import type { Bell } from "../redis/bell.ts";
import type { RedisConnection } from "../redis/client.ts";
import { retryStorage } from "../redis/retry.ts";
import { Script } from "../redis/script.ts";
import type { SharedClock } from "../redis/shared-clock.ts";
import { ABOUT, bornAs, type SessionFields, toUtteranceField, utteranceField } from "./session-fields.ts";
import type { SessionHold, StoredUtterance } from "./session-store.ts";

/** Number of ended utterances whose ends can be told again; the oldest gives way. */
export const MAX_ENDED_UTTERANCES: number = MAX_UTTERANCES_PER_SESSION;

/** The field in which the scripts keep the hash of the token that was replaced. */
const PREVIOUS_TOKEN = "previous";

export const sessionScripts = { hold: new Script("session-hold"), change: new Script("session-change") };

/** What a Redis store and its holds share. */
export interface RedisSessions {
  readonly redis: RedisConnection;
  readonly bell: Bell;
  readonly logger: Logger;
  /** Life of a session that is not refreshed. */
  readonly windowMs: number;
  /** A change is repeated for so long while Redis is away, */
  readonly storageRetryMs: number;
  readonly clock: SharedClock;
  /** and no longer once the store is closed. */
  readonly closed: AbortSignal;
}

export interface Held {
  readonly key: string;
  /** Hash of its token. */
  readonly tokenHash: string;
  readonly fields: SessionFields;
  readonly onSuperseded: () => void;
}

/**
 * One session, as long as this process has it. Keeps a copy of what is stored, bounded like the session
 * itself: should Redis lose the session while its client is here, the next refresh stores it again.
 */
export class RedisSessionHold implements SessionHold {
  epoch = 0;
  onRung: (() => void) | undefined;
  /** The name under which it is rung, and which stands in Redis as the holder's. */
  readonly member: string;
  readonly #sessions: RedisSessions;
  readonly #held: Held;
  readonly #ended: number[] = [];
  #state: "current" | "superseded" | "let-go" = "current";
  /** A change could not be stored: the next refresh brings everything. */
  #isBehind = false;

  constructor(sessions: RedisSessions, held: Held) {
    this.#sessions = sessions;
    this.#held = held;
    this.member = sessions.bell.enlist(this);
  }

  get isCurrent(): boolean {
    return this.#state === "current";
  }

  get birth(): string {
    return bornAs(this.#held.fields.get(ABOUT)).birth;
  }

  async put(utterance: StoredUtterance): Promise<void> {
    const createdAtMs = this.#sessions.clock.toShared(utterance.createdAtMs);
    const [name, value] = toUtteranceField({ ...utterance, createdAtMs });
    this.#held.fields.set(name, value);
    const dropped: string[] = [];
    if (utterance.end !== undefined) this.#ended.push(utterance.number);
    while (this.#ended.length > MAX_ENDED_UTTERANCES) dropped.push(utteranceField(this.#ended.shift() ?? 0));
    for (const field of dropped) this.#held.fields.delete(field);
    await this.#change(dropped, [name, value]);
  }

  confirm(): Promise<void> {
    return this.#change([PREVIOUS_TOKEN], []);
  }

  async refresh(): Promise<void> {
    await this.#change([], this.#isBehind ? [...this.#held.fields].flat() : []);
    this.#isBehind = false;
  }

  async remove(): Promise<boolean> {
    if (!this.isCurrent) return false;
    this.#state = "let-go";
    this.#sessions.bell.dismiss(this.member);
    return (await this.#tell([this.member, 0, 0])) !== "superseded";
  }

  letGo(): void {
    if (this.#state === "current") this.#state = "let-go";
    this.#sessions.bell.dismiss(this.member);
  }

  /** The session was taken over, or something of it has changed. */
  ring(): void {
    this.refresh().then(
      () => {
        if (this.isCurrent) this.onRung?.();
      },
      (error: unknown) =>
        this.#sessions.logger.debug({ err: error }, "a session's holder could not be looked up"),
    );
  }

  /** Utterances that had ended when it was taken over, in order. */
  found(ended: readonly number[]): void {
    this.#ended.push(...ended);
  }

  async #change(removed: readonly string[], set: readonly string[]): Promise<void> {
    if (!this.isCurrent) return;
    let status: string | undefined;
    try {
      status = await this.#tell([this.member, this.#sessions.windowMs, removed.length, ...removed, ...set]);
    } catch (error) {
      this.#isBehind = true;
      throw error;
    }
    if (status === "superseded") this.#supersede();
    else if (status === "gone") await this.#storeAgain();
  }

  async #tell(args: readonly (string | number)[]): Promise<string | undefined> {
    const { redis, storageRetryMs, closed } = this.#sessions;
    const [status] = await retryStorage(storageRetryMs, closed, () =>
      sessionScripts.change.run(redis, [this.#held.key], args),
    );
    return status;
  }

  /** Redis has lost it: forgotten in a restart, or expired while it could not be reached. */
  async #storeAgain(): Promise<void> {
    if (!this.isCurrent) return;
    const { redis, storageRetryMs, closed, windowMs } = this.#sessions;
    const { key, tokenHash, fields } = this.#held;
    const [status] = await retryStorage(storageRetryMs, closed, () =>
      sessionScripts.hold.run(
        redis,
        [key],
        // Its epoch goes on from the one it had: streams know claims of earlier holders by it.
        ["open", tokenHash, this.member, windowMs, "epoch", this.epoch, ...[...fields].flat()],
      ),
    );
    if (status === "taken") this.#supersede();
  }

  #supersede(): void {
    if (!this.isCurrent) return;
    this.#state = "superseded";
    this.#sessions.bell.dismiss(this.member);
    this.#held.onSuperseded();
  }
}
