import type { Fault } from "./faults.ts";

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

/** Messages remembered per connection, and characters of each. */
const MAX_MESSAGES = 500;
const MAX_TEXT_CHARACTERS = 2_000;

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

type Counts = Record<string, number>;

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

function freshCounts() {
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

const addOne = (counts: Counts, key: string | number) => {
  counts[key] = (counts[key] ?? 0) + 1;
};

/** Sees all that clients do, so that tests can assert that we behaved. */
export class Witness {
  readonly #maxLogs: number;
  #counts = freshCounts();
  #logs: ConnectionLog[] = [];
  #open = 0;
  #generating = 0;
  #lastId = 0;

  constructor(loggedConnections: number) {
    this.#maxLogs = loggedConnections;
  }

  get open(): number {
    return this.#open;
  }

  nextConnectionNumber(): number {
    return ++this.#lastId;
  }

  refused(status: number): void {
    addOne(this.#counts.refused, status);
  }

  requested(route: string, status: number): void {
    addOne(this.#counts.requests, `${route} ${status}`);
  }

  fault(fault: Fault): void {
    addOne(this.#counts.faults, fault.name);
  }

  connected(
    connection: Pick<ConnectionLog, "id" | "route" | "voice" | "query" | "fault">,
  ): ConnectionWitness {
    const log: ConnectionLog = {
      ...connection,
      openings: 0,
      texts: 0,
      characters: 0,
      flushes: 0,
      ends: 0,
      generations: 0,
      audioBytes: 0,
      violations: [],
      messages: [],
      messagesForgotten: 0,
      closed: undefined,
    };
    this.#logs.push(log);
    if (this.#logs.length > this.#maxLogs) this.#logs.shift();
    this.#open++;
    this.#counts.opened++;
    this.#counts.accepted++;
    this.#counts.peak = Math.max(this.#counts.peak, this.#open);
    return new ConnectionWitness(log, {
      // Read anew each time: a reset replaces the counts.
      counts: () => this.#counts,
      closed: () => this.#open--,
    });
  }

  generating(by: 1 | -1): void {
    this.#generating += by;
    this.#counts.peakGenerating = Math.max(this.#counts.peakGenerating, this.#generating);
  }

  /** Counts of what is open now stay true. */
  reset(): void {
    this.#counts = freshCounts();
    this.#counts.peak = this.#open;
    this.#counts.peakGenerating = this.#generating;
    this.#logs = [];
  }

  report(): Report {
    return { ...this.totals(), log: structuredClone(this.#logs) };
  }

  /** The report without the log of connections. */
  totals(): Omit<Report, "log"> {
    const { opened, peak, accepted, refused, peakGenerating, ...counts } = structuredClone(this.#counts);
    return {
      ...counts,
      connections: { opened, open: this.#open, peak },
      upgrades: { accepted, refused },
      generating: { now: this.#generating, peak: peakGenerating },
      violationCount: Object.values(counts.violations).reduce((sum, count) => sum + count, 0),
    };
  }
}

/** The witness of one connection: counts for all, and its own log. */
export class ConnectionWitness {
  readonly log: ConnectionLog;
  readonly #all: { readonly counts: () => ReturnType<typeof freshCounts>; readonly closed: () => void };
  readonly #sinceMs = performance.now();

  constructor(
    log: ConnectionLog,
    all: { readonly counts: () => ReturnType<typeof freshCounts>; readonly closed: () => void },
  ) {
    this.log = log;
    this.#all = all;
  }

  received(message: Omit<LoggedMessage, "atMs" | "from">): void {
    this.#note({ from: "client", ...message });
  }

  sent(message: Omit<LoggedMessage, "atMs" | "from">): void {
    this.#note({ from: "server", ...message });
    if (message.audioBytes !== undefined) {
      this.log.audioBytes += message.audioBytes;
      this.#all.counts().audioBytes += message.audioBytes;
    }
    if (message.final === true) this.#all.counts().finals++;
    if (message.error !== undefined) addOne(this.#all.counts().errors, message.error);
  }

  opening(): void {
    this.log.openings++;
    this.#all.counts().openings++;
  }

  text(characters: number): void {
    this.log.texts++;
    this.log.characters += characters;
    this.#all.counts().texts++;
    this.#all.counts().characters += characters;
  }

  keepAlive(): void {
    this.#all.counts().keepAlives++;
  }

  flush(): void {
    this.log.flushes++;
    this.#all.counts().flushes++;
  }

  end(): void {
    this.log.ends++;
    this.#all.counts().ends++;
  }

  generation(): void {
    this.log.generations++;
    this.#all.counts().generations++;
  }

  violation(kind: Violation): void {
    this.log.violations.push(kind);
    addOne(this.#all.counts().violations, kind);
  }

  /** @param unended text was taken, and neither an end nor an error of ours followed */
  closed(code: number, reason: string, unended: boolean): void {
    if (this.log.closed !== undefined) return;
    this.log.closed = { code, reason, atMs: performance.now() - this.#sinceMs };
    addOne(this.#all.counts().closes, code);
    if (unended) this.#all.counts().closedWithoutEnd++;
    this.#all.closed();
  }

  #note(message: Omit<LoggedMessage, "atMs">): void {
    if (this.log.messages.length >= MAX_MESSAGES) {
      this.log.messages.shift();
      this.log.messagesForgotten++;
    }
    this.log.messages.push({
      atMs: Math.round(performance.now() - this.#sinceMs),
      ...message,
      ...(message.text === undefined ? {} : { text: message.text.slice(0, MAX_TEXT_CHARACTERS) }),
    });
  }
}
