/** What a well-behaved client never does. Counted, and told with the connection. */
export type Violation =
  | "second-opening"
  | "changed-settings"
  | "text-before-opening"
  | "text-after-end"
  | "second-end"
  | "unsent-end"
  | "malformed-message"
  | "too-many-contexts";

export interface LoggedMessage {
  /** Since the upgrade. */
  readonly atMs: number;
  readonly from: "client" | "server";
  readonly text?: string;
  readonly flush?: boolean;
  readonly context?: string;
  readonly fields?: readonly string[];
  readonly audioBytes?: number;
  readonly final?: boolean;
  readonly error?: string;
}

export interface ConnectionLog {
  readonly id: number;
  readonly route: string;
  readonly voice: string;
  readonly query: Readonly<Record<string, string>>;
  readonly fault: string | undefined;
  openings: number;
  texts: number;
  characters: number;
  flushes: number;
  ends: number;
  generations: number;
  audioBytes: number;
  violations: Violation[];
  readonly messages: LoggedMessage[];
  messagesForgotten: number;
  closed: { readonly code: number; readonly reason: string; readonly atMs: number } | undefined;
}

export type Counts = Record<string, number>;

export interface Report {
  readonly connections: { readonly opened: number; readonly open: number; readonly peak: number };
  readonly upgrades: { readonly accepted: number; readonly refused: Readonly<Counts> };
  readonly openings: number;
  readonly texts: number;
  readonly characters: number;
  readonly keepAlives: number;
  readonly flushes: number;
  readonly ends: number;
  readonly generations: number;
  readonly audioBytes: number;
  readonly finals: number;
  /** Sockets and HTTP requests that generate. */
  readonly generating: { readonly now: number; readonly peak: number };
  /** By close code as the simulator saw it; 1006 where there was none. */
  readonly closes: Readonly<Counts>;
  /** Closed by the client with text spoken or buffered and no end: a barge-in looks the same, so no violation. */
  readonly closedWithoutEnd: number;
  readonly errors: Readonly<Counts>;
  readonly faults: Readonly<Counts>;
  readonly requests: Readonly<Counts>;
  readonly violations: Readonly<Counts>;
  readonly violationCount: number;
  readonly log: readonly ConnectionLog[];
}

/** What is counted, as it is kept. */
export function freshTotals() {
  return {
    opened: 0,
    peak: 0,
    accepted: 0,
    refused: {} as Counts,
    openings: 0,
    texts: 0,
    characters: 0,
    keepAlives: 0,
    flushes: 0,
    ends: 0,
    generations: 0,
    audioBytes: 0,
    finals: 0,
    peakGenerating: 0,
    closes: {} as Counts,
    closedWithoutEnd: 0,
    errors: {} as Counts,
    faults: {} as Counts,
    requests: {} as Counts,
    violations: {} as Counts,
  };
}

export type Totals = ReturnType<typeof freshTotals>;

export const addOne = (counts: Counts, key: string | number) => {
  counts[key] = (counts[key] ?? 0) + 1;
};
