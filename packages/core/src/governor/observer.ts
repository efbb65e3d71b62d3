/** What a governor tells those who measure. */
export interface GovernorObserver {
  /** A slot was had after so long. */
  granted(waitedMs: number): void;
  /** The deadline was reached first: `capacity.slot_timeout`. */
  timedOut(): void;
  /** Leases that had expired while their holders still generated: Redis or this process stood still. */
  lostLeases(count: number): void;
  /** Slots held and tickets waiting in this process, now. */
  counts(held: number, waiting: number): void;
}

export const silentObserver: GovernorObserver = {
  granted: () => {},
  timedOut: () => {},
  lostLeases: () => {},
  counts: () => {},
};
