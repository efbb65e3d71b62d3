import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Ports to try for a new connection, best first; given how many connections each has now. */
export type Route = (connections: ReadonlyMap<number, number>) => readonly number[];

interface Pair {
  readonly client: Socket;
  readonly target: Socket;
  readonly port: number;
}

/** How long a connection whose client was cut off may look alive to the edge. */
const HALF_OPEN_LIMIT_MS = 5_000;

/**
 * The address that clients know: passes TCP connections on to where the route says, and cuts them when asked.
 * A target that dies takes its connections with it; one that refuses is passed over for the next.
 */
export class FrontDoor {
  readonly #route: Route;
  readonly #pairs = new Set<Pair>();
  readonly #connections = new Map<number, number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #server = createServer({ pauseOnConnect: true }, (client) => void this.#admit(client));

  constructor(route: Route) {
    this.#route = route;
  }

  async open(): Promise<this> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /**
   * Resets `count` connections, chosen by `random`. "both": either side learns it. "client": the edge is left
   * with a connection that looks alive and takes nothing, as after a phone has lost its network.
   */
  cut(count: number, random: () => number, sides: "both" | "client" = "both"): number {
    const pairs = [...this.#pairs];
    let cut = 0;
    for (; cut < count && pairs.length > 0; cut += 1) {
      const [pair] = pairs.splice(Math.floor(random() * pairs.length), 1);
      if (pair !== undefined) this.#cutOne(pair, sides);
    }
    return cut;
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#server.close();
    for (const { client, target } of this.#pairs) {
      client.destroy();
      target.destroy();
    }
    await once(this.#server, "close");
  }

  #cutOne(pair: Pair, sides: "both" | "client"): void {
    const { client, target } = pair;
    if (sides === "client") {
      client.unpipe(target);
      target.unpipe(client);
      target.pause();
      client.removeAllListeners("close");
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        target.destroy();
      }, HALF_OPEN_LIMIT_MS);
      this.#timers.add(timer);
    } else reset(target);
    reset(client);
  }

  async #admit(client: Socket): Promise<void> {
    client.on("error", () => {});
    client.setNoDelay(true);
    for (const port of this.#route(this.#connections)) {
      const target = await reach(port);
      if (target === undefined) continue;
      this.#join({ client, target, port });
      return;
    }
    reset(client);
  }

  #join(pair: Pair): void {
    const { client, target, port } = pair;
    this.#pairs.add(pair);
    this.#connections.set(port, (this.#connections.get(port) ?? 0) + 1);
    target.once("close", () => {
      this.#pairs.delete(pair);
      this.#connections.set(port, (this.#connections.get(port) ?? 1) - 1);
      client.destroy();
    });
    client.once("close", () => target.destroy());
    if (client.destroyed) target.destroy();
    client.pipe(target);
    target.pipe(client);
  }
}

async function reach(port: number): Promise<Socket | undefined> {
  const target = connect(port, "127.0.0.1");
  target.setNoDelay(true);
  return new Promise((resolve) => {
    target.once("connect", () => {
      target.removeAllListeners("error");
      target.on("error", () => {});
      resolve(target);
    });
    target.once("error", () => resolve(undefined));
  });
}

/** One that is saying goodbye can't be reset any more; Node would keep its handle for ever. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
