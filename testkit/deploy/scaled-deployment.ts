import type { Fleet } from "../../scripts/supervisor/fleet.ts";
import type { FleetMember } from "../../scripts/supervisor/fleet-member.ts";
import type { Autoscaler, Measured } from "./autoscaler.ts";

export interface ScaledDeploymentOptions {
  readonly fleet: Fleet;
  readonly program: "worker" | "edge";
  readonly autoscaler: Autoscaler;
  /** SIGKILL follows SIGTERM after so long, as `terminationGracePeriodSeconds` says. */
  readonly graceMs: number;
  /** A process's metrics as text; undefined where the answer was not 200. */
  readonly readMetrics: (member: FleetMember) => Promise<string | undefined>;
  /** What the autoscaler is told of them; one text per process, undefined also for those that are not ready yet. */
  readonly toMeasured: (texts: readonly (string | undefined)[]) => readonly Measured[];
}

/** What a Deployment and its HorizontalPodAutoscaler do, with processes of this machine in place of pods. */
export class ScaledDeployment {
  /** Every size in its turn, the first one included. */
  readonly sizes: number[];
  /** How processes that were taken away have ended: "exit code 0". */
  readonly ends: string[] = [];
  readonly #options: ScaledDeploymentOptions;
  #ready: FleetMember[];
  #starting = 0;
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: ScaledDeploymentOptions) {
    this.#options = options;
    this.#ready = [...(options.program === "edge" ? options.fleet.edges : options.fleet.workers)];
    this.sizes = [this.#ready.length];
  }

  /** Those that get something to do: not those that start, nor those that leave. */
  get ready(): readonly FleetMember[] {
    return this.#ready;
  }

  get size(): number {
    return this.#ready.length + this.#starting;
  }

  /** One round of the autoscaler. */
  async look(): Promise<void> {
    const { readMetrics, toMeasured, autoscaler } = this.#options;
    const texts = await Promise.all(this.#ready.map(readMetrics));
    const unknown = Array.from({ length: this.#starting }, () => undefined);
    this.#resize(autoscaler.next(performance.now(), this.size, toMeasured([...texts, ...unknown])));
  }

  /** Resolves when all that were begun have started and all that were taken away have ended. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #resize(size: number): void {
    if (size === this.size) return;
    while (this.size < size) this.#track(this.#start());
    // The newest go first, as a ReplicaSet chooses them.
    while (this.size > size && this.#ready.length > 1) this.#track(this.#stop(this.#ready.pop()));
    this.sizes.push(this.size);
  }

  async #start(): Promise<void> {
    this.#starting += 1;
    try {
      const member = await this.#options.fleet.add(this.#options.program);
      this.#ready = [...this.#ready, member];
    } finally {
      this.#starting -= 1;
    }
  }

  async #stop(member: FleetMember | undefined): Promise<void> {
    if (member === undefined) return;
    await member.stop(this.#options.graceMs);
    this.ends.push(await member.part.exited);
  }

  #track(work: Promise<void>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work)).catch(() => {});
  }
}
