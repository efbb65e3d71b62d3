import type { FleetMember } from "../../supervisor/fleet-member.ts";
import { FrontDoor, type Route } from "./front-door.ts";
import { findHaproxy, haproxyConfig, startHaproxy } from "./haproxy.ts";

export interface Balancer {
  readonly kind: "haproxy" | "own";
  readonly door: FrontDoor;
  close(): Promise<void>;
}

const CHECK_EVERY_MS = 250;
const FALL = 2;

/**
 * What stands between clients and edges: HAProxy where it is installed, else the front door balances by itself
 * by the same rules (fewest connections first, out after two failed checks, in again after one).
 */
export async function openBalancer(edges: readonly FleetMember[]): Promise<Balancer> {
  const binary = findHaproxy();
  if (binary === undefined) {
    const health = new EdgeHealth(edges);
    const door = await new FrontDoor(health.route).open();
    const close = async () => {
      health.close();
      await door.close();
    };
    return { kind: "own", door, close };
  }
  const hosts = edges.map(({ url }) => new URL(url));
  const haproxy = await startHaproxy(binary, (port) => haproxyConfig(port, hosts));
  const door = await new FrontDoor(() => [haproxy.port]).open();
  const close = async () => {
    await door.close();
    await haproxy.close();
  };
  return { kind: "haproxy", door, close };
}

/** Which edges want connections. */
class EdgeHealth {
  readonly #edges: readonly { readonly readyUrl: string; readonly port: number }[];
  /** Failed checks in a row, by port. */
  readonly #failures = new Map<number, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(edges: readonly FleetMember[]) {
    this.#edges = edges.map(({ url }) => ({ readyUrl: `${url}/readyz`, port: Number(new URL(url).port) }));
    this.#timer = setInterval(() => void this.#checkAll(), CHECK_EVERY_MS);
  }

  /** All that are up, fewest connections first; the others after them, since a check may be wrong. */
  readonly route: Route = (connections) => {
    const isDown = (port: number) => Number((this.#failures.get(port) ?? 0) >= FALL);
    const load = (port: number) => connections.get(port) ?? 0;
    return this.#edges.map(({ port }) => port).sort((a, b) => isDown(a) - isDown(b) || load(a) - load(b));
  };

  close(): void {
    clearInterval(this.#timer);
  }

  async #checkAll(): Promise<void> {
    await Promise.all(
      this.#edges.map(async ({ readyUrl, port }) => {
        const isReady = await answersOk(readyUrl);
        this.#failures.set(port, isReady ? 0 : (this.#failures.get(port) ?? 0) + 1);
      }),
    );
  }
}

async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(CHECK_EVERY_MS * 2) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
