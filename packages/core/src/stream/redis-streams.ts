import type { Logger } from "../logger.ts";
import type { Bell } from "../redis/bell.ts";
import type { RedisConnection } from "../redis/client.ts";
import type { LinkWatch } from "../redis/link-watch.ts";
import { Script } from "../redis/script.ts";
import type { TickBatch } from "../redis/tick-batch.ts";
import type { StreamObserver } from "./observer.ts";
import type { StreamSettings } from "./settings.ts";

export const scripts = {
  claim: new Script("claim"),
  advance: new Script("advance"),
  room: new Script("room"),
  end: new Script("end"),
  expire: new Script("expire"),
  remove: new Script("remove"),
  park: new Script("park"),
  hold: new Script("hold"),
};

/** What a Redis store's writers and readers share. */
export interface RedisStreams {
  readonly redis: RedisConnection;
  readonly batch: TickBatch;
  readonly links: LinkWatch;
  readonly bell: Bell;
  readonly settings: StreamSettings;
  readonly observer: StreamObserver;
  readonly logger: Logger;
  /** Aborted when the store closes. */
  readonly closed: AbortSignal;
  /** What is rung when the store closes, and shown alive until then. The owner takes itself out again. */
  readonly open: Set<OpenEnd>;
  /** How an append whose answer was lost is sent again; see `RedisStreamOptions`. */
  readonly resendAs: "same-numbers" | "next-numbers";
  /** Whether writers store again what Redis has acknowledged and lost; see `RedisStreamOptions`. */
  readonly mends: boolean;
  /** Whether readers tell a forgotten stream from a silent one; see `RedisStreamOptions`. */
  readonly noticesLoss: boolean;
}

/** A writer or a reader that the store knows of. */
export interface OpenEnd {
  ring(): void;
  /** Called every heartbeat or so. */
  beat(): void;
}
