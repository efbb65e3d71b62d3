import { setFlagsFromString } from "node:v8";

/** Growth of the old generation, beyond what is alive, before V8 collects all of it. */
const HEAP_GROWTH_PERCENT = 300;

/**
 * By itself V8 lets a small heap grow by a few megabytes, and counts audio buffers into that: with 200 cached phrases a
 * second the edge's 22 MB were collected three to five times a second, for 3 to 15 ms each, with four more threads at
 * work beside. Given room they are collected every few seconds; the process takes some 50 MB more. Call before anything
 * else.
 */
export function giveHeapRoom(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
}
