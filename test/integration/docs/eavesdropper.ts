import { expect } from "vitest";

type Message = Readonly<Record<string, unknown>>;

/** A client that keeps every text message just as it came. */
export class Eavesdropper {
  readonly messages: Message[] = [];
  readonly #socket: WebSocket;

  static async connect(url: string): Promise<Eavesdropper> {
    const client = new Eavesdropper(new WebSocket(url.replace(/^http/, "ws")));
    await client.heard("connected");
    return client;
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => {
      if (typeof data === "string") this.messages.push(JSON.parse(data) as Message);
    });
  }

  send(message: Message): void {
    this.#socket.send(JSON.stringify(message));
  }

  /** Waits until `times` messages of `type` have come. */
  async heard(type: string, times = 1): Promise<void> {
    const count = () => this.messages.filter((message) => message["type"] === type).length;
    await expect.poll(count, { timeout: 10_000, message: type }).toBeGreaterThanOrEqual(times);
  }

  close(): void {
    this.#socket.close();
  }
}
