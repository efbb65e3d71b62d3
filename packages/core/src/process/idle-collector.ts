import { performance } from "node:perf_hooks";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const LOOK_EVERY_MS = 250;
/** Share of the time in which the event loop did something, below which a process has nothing else to do. */
const IDLE_SHARE = 0.05;
/** Looks in a row that have to find it idle. */
const IDLE_LOOKS = 2;
/** Less is not worth a collection, which takes some 20 ms. A single speaker makes so much in minutes. */
const WORTH_BYTES = 24 * 1024 * 1024;

/** What a collector sees of its process, and does to it. */
export interface CollectedProcess {
  /** Objects and buffers, garbage included. */
  usedBytes(): number;
  /** Share of the time since the last call in which the event loop did something. */
  busyShare(): number;
  collect(): void;
}

/**
 * Collects garbage once a process that was busy is idle. V8 by itself collects when there is more to allocate, and counts
 * audio in buffers only from 64 MB on: after a hundred streams the edge held 130 MB of audio that nothing referred to,
 * for as long as nothing happened (docs/bench.md, "memory").
 */
export class IdleCollector {
  readonly #process: CollectedProcess;
  /** What was left at the last collection, or less. */
  #floorBytes: number;
  #idleLooks = 0;

  constructor(process: CollectedProcess) {
    this.#process = process;
    this.#floorBytes = process.usedBytes();
  }

  look(): void {
    const { usedBytes, busyShare, collect } = this.#process;
    this.#idleLooks = busyShare() < IDLE_SHARE ? this.#idleLooks + 1 : 0;
    const used = usedBytes();
    this.#floorBytes = Math.min(this.#floorBytes, used);
    if (this.#idleLooks < IDLE_LOOKS || used - this.#floorBytes < WORTH_BYTES) return;
    collect();
    this.#floorBytes = usedBytes();
  }
}

/** Call once, when the program runs; it keeps no process alive. */
export function collectWhenIdle(): void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  let last = performance.eventLoopUtilization();
  const collector = new IdleCollector({
    usedBytes: () => {
      const { used_heap_size: heap, external_memory: buffers } = getHeapStatistics();
      return heap + buffers;
    },
    busyShare: () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    collect,
  });
  setInterval(() => collector.look(), LOOK_EVERY_MS).unref();
}
