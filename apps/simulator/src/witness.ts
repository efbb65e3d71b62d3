import type { Fault } from "./faults/faults.ts";
import { addOne, type ConnectionLog, freshTotals, type Report } from "./report.ts";
import { ConnectionWitness } from "./sockets/connection-witness.ts";

/** Sees all that clients do, so that tests can assert that we behaved. */
export class Witness {
  readonly #maxLogs: number;
  #counts = freshTotals();
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
    this.#counts = freshTotals();
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
