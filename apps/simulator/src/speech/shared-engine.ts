import { SpeechEngine } from "./engine.ts";

/** How long an unused engine is kept: tests render many texts one after the other. It does not hold the process. */
const LINGER_MS = 5_000;

let shared: { readonly engine: SpeechEngine; holders: number; timer?: NodeJS.Timeout } | undefined;

/**
 * The process's one speech engine (its thread takes about 90 MB), for as long as it is held.
 * `release(true)` ends the thread at once if it has no other holder, else it lingers. May be called twice.
 */
export function holdEngine(): { engine: SpeechEngine; release: (atOnce?: boolean) => Promise<void> } {
  shared ??= { engine: new SpeechEngine(), holders: 0 };
  const held = shared;
  held.holders++;
  clearTimeout(held.timer);
  let released = false;
  const close = async () => {
    if (shared === held) shared = undefined;
    await held.engine.close();
  };
  return {
    engine: held.engine,
    release: async (atOnce = false) => {
      if (released) return;
      released = true;
      held.holders--;
      if (held.holders > 0) return;
      if (atOnce) await close();
      else held.timer = setTimeout(() => void close(), LINGER_MS).unref();
    },
  };
}
