import { vi } from "vitest";

/**
 * How long a test waits for a condition unless it says otherwise. Vitest gives a second, which a busy machine may take
 * by itself; a condition that holds is seen at once all the same. `expect.poll` gets it from vitest.config.ts.
 */
export const PATIENCE_MS = 15_000;

const patient = (options: number | { timeout?: number; interval?: number } | undefined) =>
  typeof options === "number" ? options : { timeout: PATIENCE_MS, ...options };

/** Set where it has been done: files that share a process run this each. */
const DONE = Symbol.for("tts-labs.patience");

if (!Reflect.has(vi, DONE)) {
  const { waitFor, waitUntil } = vi;
  vi.waitFor = (condition, options) => waitFor(condition, patient(options));
  vi.waitUntil = (condition, options) => waitUntil(condition, patient(options));
  Reflect.set(vi, DONE, true);
}
