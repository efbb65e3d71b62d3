import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP proxy on loopback that hurts what passes through it, as told by its fields at that moment. */
export class ChaosProxy {
  /** Added to each direction. */
  delayMs = 0;
  /** Swallow what comes back, or what goes out, while the connections stay up. */
  swallow: "nothing" | "answers" | "requests" = "nothing";
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((client) => this.#join(client));
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

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(client: Socket): void {
    const target = connect(this.#targetPort, "127.0.0.1");
    this.#carry(client, target, "requests");
    this.#carry(target, client, "answers");
  }

  #carry(from: Socket, to: Socket, what: "answers" | "requests"): void {
    this.#sockets.add(from);
    from.on("data", (bytes: Buffer) => {
      if (this.swallow === what) return;
      if (this.delayMs === 0) to.write(bytes);
      else setTimeout(() => to.write(bytes), this.delayMs);
    });
    from.on("error", () => {});
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
