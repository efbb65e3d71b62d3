/** What circuits tell those who measure. Names are those of the configured keys: a closed set. */
export interface BreakerObserver {
  /** As this process has learnt it. */
  changed(circuit: string, state: "closed" | "open"): void;
  /** A request was turned away: `provider.circuit_open`. */
  refused(circuit: string): void;
  /** This process makes the one probe. */
  probed(circuit: string): void;
}

export const silentObserver: BreakerObserver = { changed: () => {}, refused: () => {}, probed: () => {} };
