import type { Part } from "./part.ts";

/** Longer than a worker or an edge takes to drain by default; then it is killed. */
const STOP_LIMIT_MS = 40_000;

export interface FleetAddress {
  readonly url: string;
  /** The address, when it is another. */
  readonly opsUrl?: string;
}

/** One program of a fleet, at an address of its own that it keeps through all its lives. */
export class FleetMember {
  readonly name: string;
  /** The address at which it answers; for a worker that is /healthz, /readyz and /metrics. */
  readonly url: string;
  /** The operators' address. */
  readonly opsUrl: string;
  readonly #startPart: () => Promise<Part>;
  #part: Part;

  private constructor(
    name: string,
    { url, opsUrl = url }: FleetAddress,
    part: Part,
    startPart: () => Promise<Part>,
  ) {
    this.name = name;
    this.url = url;
    this.opsUrl = opsUrl;
    this.#part = part;
    this.#startPart = startPart;
  }

  /** Resolves when it is ready. */
  static async start(
    name: string,
    address: FleetAddress,
    startPart: () => Promise<Part>,
  ): Promise<FleetMember> {
    return new FleetMember(name, address, await startPart(), startPart);
  }

  /** Its present life. */
  get part(): Part {
    return this.#part;
  }

  /** kill -9; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#part.kill();
    await this.#part.exited;
  }

  /** It stands still, its sockets open, until `thaw`. */
  freeze(): void {
    this.#part.signal("SIGSTOP");
  }

  thaw(): void {
    this.#part.signal("SIGCONT");
  }

  /** SIGTERM: it drains, and is killed where that takes longer than `limitMs`. */
  stop(limitMs: number = STOP_LIMIT_MS): Promise<void> {
    return this.#part.stop(limitMs);
  }

  /** Starts it anew at its address, once it has ended; resolves when it is ready. */
  async start(): Promise<void> {
    await this.#part.exited;
    this.#part = await this.#startPart();
  }
}
