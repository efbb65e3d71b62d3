import { WebSocket } from "ws";

/** A client that sends and gets JSON, one message after the other, as ElevenLabs' sockets have it. */
export class JsonSocketClient {
  readonly messages: Record<string, unknown>[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => this.messages.push(JSON.parse(String(data)) as Record<string, unknown>));
    socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
    socket.on("error", () => {});
  }

  static open(
    url: string,
    path: string,
    headers: Record<string, string> = {},
    protocols: readonly string[] = [],
  ): Promise<JsonSocketClient> {
    const socket = new WebSocket(url.replace(/^http/, "ws") + path, [...protocols], { headers });
    const client = new JsonSocketClient(socket);
    return new Promise((resolve, reject) => {
      socket.once("open", () => resolve(client));
      socket.once("error", reject);
    });
  }

  /** The subprotocol that was answered. */
  get protocol(): string {
    return this.#socket.protocol;
  }

  /** Strings and bytes go as they are. */
  send(...messages: readonly (object | string | Buffer)[]): void {
    for (const message of messages) {
      const isRaw = typeof message === "string" || Buffer.isBuffer(message);
      this.#socket.send(isRaw ? message : JSON.stringify(message));
    }
  }

  /** The messages of one context, or all where they have none. */
  of(contextId?: string): readonly Record<string, unknown>[] {
    return this.messages.filter((it) => contextId === undefined || it["contextId"] === contextId);
  }

  /** The samples that have come. */
  audio(contextId?: string): Buffer {
    const parts = this.of(contextId).map((it) => it["audio"]);
    return Buffer.concat(parts.map((it) => Buffer.from(typeof it === "string" ? it : "", "base64")));
  }

  close(code?: number): void {
    this.#socket.close(code);
  }

  terminate(): void {
    this.#socket.terminate();
  }
}
