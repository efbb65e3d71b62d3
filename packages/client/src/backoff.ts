/** Pause before the first new attempt is at most this: the clients of a fallen server do not all come at once. */
const FIRST_SPREAD_MS = 100;
const SECOND_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;

/**
 * How long to wait before attempt number `attempt` (from 0) to connect again: nearly nothing, then doubling up to
 * 5 s, each between half and all of it. `random` is from 0 to 1.
 */
export function reconnectPauseMs(attempt: number, random: number): number {
  if (attempt === 0) return FIRST_SPREAD_MS * random;
  return Math.min(SECOND_PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS) * (0.5 + 0.5 * random);
}
