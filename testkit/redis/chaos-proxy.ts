import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Which way bytes go. */
type Direction = "answers" | "requests";

/** One connection that passes through. */
interface Passing {
  readonly lost: Set<Direction>;
  /** The words that its client has sent, such as the names of Redis commands, in lower case. */
  readonly words: Set<string>;
}

/** Words remembered of a connection, at most. */
const MAX_WORDS = 1_000;

export interface BlackHole {
  /** What no longer arrives; default: both ways. */
  readonly loses?: readonly Direction[];
  /** Restricts to connections whose client has sent one of these words, of three letters or more. */
  readonly thatSaid?: readonly string[];
  /** Restricts to connections whose client has sent none of these words. */
  readonly thatNeverSaid?: readonly string[];
}

/** A TCP proxy on loopback that hurts what passes through it, as told by its fields at that moment. */
export class ChaosProxy {
  /** Added to each direction. */
  delayMs = 0;
  /** Swallow what comes back, or what goes out, while the connections stay up. */
  swallow: "nothing" | "answers" | "requests" = "nothing";
  readonly #sockets = new Set<Socket>();
  readonly #passing = new Set<Passing>();
  readonly #server = createServer({ allowHalfOpen: true }, (client) => this.#join(client));
  #targetPort = 0;

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async open(targetPort: number): Promise<this> {
    this.#targetPort = targetPort;
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    return this;
  }

  /** Resets every connection; new ones are let through. */
  cut(): void {
    for (const socket of this.#sockets) {
      // One that is saying goodbye can't be reset any more; Node would keep its handle for ever.
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  /**
   * From now on established connections pass nothing on, and neither side is told; new ones work. So do links whose
   * state a firewall has forgotten. @returns how many connections it has met
   */
  blackHole({ loses = ["answers", "requests"], thatSaid, thatNeverSaid }: BlackHole = {}): number {
    let met = 0;
    for (const { lost, words } of this.#passing) {
      if (thatSaid?.some((word) => words.has(word)) === false) continue;
      if (thatNeverSaid?.some((word) => words.has(word)) === true) continue;
      for (const direction of loses) lost.add(direction);
      met += 1;
    }
    return met;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(client: Socket): void {
    const target = connect({ port: this.#targetPort, host: "127.0.0.1", allowHalfOpen: true });
    const passing: Passing = { lost: new Set(), words: new Set() };
    this.#passing.add(passing);
    client.on("close", () => this.#passing.delete(passing));
    client.on("data", (bytes: Buffer) => {
      if (passing.words.size >= MAX_WORDS) return;
      for (const word of bytes.toString("latin1").match(/\b[a-z]{3,}\b/gi) ?? []) {
        passing.words.add(word.toLowerCase());
      }
    });
    this.#carry(client, target, "requests", passing);
    this.#carry(target, client, "answers", passing);
  }

  #carry(from: Socket, to: Socket, what: Direction, passing: Passing): void {
    this.#sockets.add(from);
    from.on("data", (bytes: Buffer) => {
      if (this.swallow === what || passing.lost.has(what)) return;
      if (this.delayMs === 0) to.write(bytes);
      else setTimeout(() => to.write(bytes), this.delayMs);
    });
    from.on("error", () => {});
    // In a black hole nothing is heard of the other side's end either.
    const isLost = () => passing.lost.has(what);
    from.on("end", () => {
      if (!isLost()) to.end();
    });
    from.on("close", () => {
      this.#sockets.delete(from);
      if (!isLost()) to.destroy();
    });
  }
}
