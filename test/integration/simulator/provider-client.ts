import { WebSocket } from "ws";

/** A plain client of the simulator's sockets, that writes down what it sees and when. */
export interface Seen {
  readonly atMs: number;
  readonly text: string;
  /** The message, if it is JSON. */
  readonly json: Record<string, unknown> | undefined;
}

export interface Closed {
  readonly atMs: number;
  readonly code: number;
  readonly reason: string;
}

export class ProviderClient {
  readonly seen: Seen[] = [];
  readonly closed: Promise<Closed>;
  readonly opened: Promise<void>;
  readonly #socket: WebSocket;
  readonly #sinceMs = performance.now();
  #watchers: (() => void)[] = [];

  constructor(url: string, headers: Record<string, string> = { "xi-api-key": "sk_simulator" }) {
    this.#socket = new WebSocket(url.replace(/^http/, "ws"), { headers, maxPayload: 16 * 1024 * 1024 });
    this.opened = new Promise((resolve, reject) => {
      this.#socket.once("open", () => resolve());
      this.#socket.once("error", reject);
    });
    this.opened.catch(() => {});
    this.closed = new Promise((resolve) => {
      this.#socket.on("close", (code, reason) => {
        resolve({ atMs: this.nowMs, code, reason: reason.toString() });
        this.#notify();
      });
    });
    this.#socket.on("message", (data: Buffer) => {
      const text = data.toString("utf8");
      this.seen.push({ atMs: this.nowMs, text, json: parse(text) });
      this.#notify();
    });
  }

  get nowMs(): number {
    return performance.now() - this.#sinceMs;
  }

  send(...messages: readonly object[]): void {
    for (const message of messages) this.#socket.send(JSON.stringify(message));
  }

  sendRaw(data: string | Buffer): void {
    this.#socket.send(data);
  }

  /** Closes from this side. */
  close(): void {
    this.#socket.close();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Until `condition` holds for what was seen, or the socket is closed. */
  async until(condition: (seen: readonly Seen[]) => boolean): Promise<void> {
    while (!condition(this.seen) && this.#socket.readyState <= WebSocket.OPEN) {
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  get audioMessages(): readonly Seen[] {
    return this.seen.filter(({ json }) => typeof json?.["audio"] === "string");
  }

  get audio(): Buffer {
    return Buffer.concat(
      this.audioMessages.map(({ json }) => Buffer.from(String(json?.["audio"]), "base64")),
    );
  }

  get finals(): readonly Seen[] {
    return this.seen.filter(({ json }) => json?.["isFinal"] === true);
  }

  get errors(): readonly Seen[] {
    return this.seen.filter(({ json }) => json?.["error"] !== undefined);
  }

  #notify(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const watcher of watchers) watcher();
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

export const GRACE = "simEnglishGrace0000A";
export const FLASH = "model_id=eleven_flash_v2_5&output_format=pcm_24000";

export const socketUrl = (url: string, voice = GRACE, query = FLASH, route = "stream-input"): string =>
  `${url}/v1/text-to-speech/${voice}/${route}?${query}`;
