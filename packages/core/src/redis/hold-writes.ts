import type { Redis } from "ioredis";

export type Leaves = "end-of-turn" | "end-of-tick";

/**
 * What is written from now on leaves in one system call: at the end of this turn of the event loop, together with
 * whatever other events ask in it; or at the end of what runs now, where the answer is waited for. On loopback
 * a call takes longer than making the command.
 */
export function holdWrites({ status, stream }: Redis, leaves: Leaves): void {
  if (status !== "ready" || stream.writableCorked > 0) return;
  stream.cork();
  if (leaves === "end-of-turn") setImmediate(() => stream.uncork());
  else process.nextTick(() => stream.uncork());
}
