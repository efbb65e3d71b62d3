import type { ReadResult } from "./stream.ts";

/** Why a position is not held. */
export type StreamLoss = Extract<ReadResult, { kind: "lost" }>["reason"];

/** What a store tells those who measure. Called on the hot path: implementations add to a counter and return. */
export interface StreamObserver {
  appended(entries: number, bytes: number): void;
  /** An append found no room and has waited; whether or not it got any. */
  waitedForRoom(waitedMs: number): void;
  /** Sleepers woken by one append, end or advance. */
  rang(bells: number): void;
  /** A bell or the re-read of a sleeper found nothing. */
  readInVain(): void;
  /** An append was sent again because its answer was lost. */
  resent(): void;
  /** Entries that Redis had acknowledged and lost were stored once more. */
  mended(entries: number): void;
  lost(reason: StreamLoss): void;
}

export const silentObserver: StreamObserver = {
  appended: () => {},
  waitedForRoom: () => {},
  rang: () => {},
  readInVain: () => {},
  resent: () => {},
  mended: () => {},
  lost: () => {},
};
