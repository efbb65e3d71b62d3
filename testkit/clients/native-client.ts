import type { ClientMessage, TextMessage } from "@tts-labs/protocol/client-message";
import {
  type ServerMessage,
  type ServerMessageOf,
  type ServerMessageType,
  serverMessageSchemas,
} from "@tts-labs/protocol/server-message";
import { WebSocket } from "ws";
import { type ReceivedFrame, ReceivedSpeech, type SpokenUtterance } from "./received-speech.ts";

/**
 * A client of the native protocol that trusts no message: every one is held against its schema, audio must
 * come in order and without a gap (but for announced drops), and nothing of an utterance may follow its end.
 * What breaks a rule stands in `violations` and fails every wait from then on. Every wait has a limit.
 */
type ConnectQuery = Readonly<Record<string, string | number>>;

interface ConnectOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Limit of every wait. */
  readonly limitMs?: number;
  /** False: it never confirms what it has. */
  readonly answersPings?: boolean;
}

export class NativeClient {
  readonly messages: ServerMessage[] = [];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #socket: WebSocket;
  readonly #limitMs: number;
  readonly #speech = new ReceivedSpeech();
  readonly #watchers = new Set<() => void>();
  #isClosed = false;
  #connected: ServerMessageOf<"connected"> | undefined;

  /**
   * `url` is the edge's http or ws address. Resolves after `connected`. @throws Error with status, code and message
   * when the upgrade was refused
   */
  static async connect(
    url: string,
    query: ConnectQuery = {},
    options: ConnectOptions = {},
  ): Promise<NativeClient> {
    const address = new URL("/api/v1/stream", url.replace(/^http/, "ws"));
    for (const [key, value] of Object.entries(query)) address.searchParams.set(key, String(value));
    const socket = new WebSocket(address, {
      autoPong: options.answersPings ?? true,
      ...(options.headers ? { headers: options.headers } : {}),
    });
    const client = new NativeClient(socket, options.limitMs ?? 10_000);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
      socket.once("unexpected-response", (_request, response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("end", () => {
          socket.terminate();
          reject(new Error(`upgrade refused: ${response.statusCode} ${refusalOf(Buffer.concat(parts))}`));
        });
      });
    });
    await client.next("connected");
    return client;
  }

  private constructor(socket: WebSocket, limitMs: number) {
    this.#socket = socket;
    this.#limitMs = limitMs;
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.#speech.onFrame(data);
      else this.#onMessage(data);
      this.#notify();
    });
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => {
        this.#isClosed = true;
        resolve({ code, reason: reason.toString() });
        this.#notify();
      });
    });
  }

  /** The first message of the connection. */
  get connected(): ServerMessageOf<"connected"> {
    if (this.#connected === undefined) throw new Error("not connected yet");
    return this.#connected;
  }

  get receivedFrames(): number {
    return this.#speech.frames;
  }

  get violations(): readonly string[] {
    return this.#speech.violations;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  send(message: ClientMessage): void {
    this.#socket.send(JSON.stringify(message));
  }

  /** Anything at all: strings as text messages, bytes as binary ones unless `asText`. */
  sendRaw(data: string | Uint8Array, asText = typeof data === "string"): void {
    this.#socket.send(data, { binary: !asText });
  }

  /** Sends `text` as a whole utterance and waits for its end. */
  async speak(text: string, options: Omit<TextMessage, "type" | "text"> = {}): Promise<SpokenUtterance> {
    const before = this.#speech.utteranceNumbers;
    const started = this.next("utterance_started", (it) => !before.has(it.utterance));
    this.send({ type: "text", text, ...options });
    this.send({ type: "stream_end" });
    return this.utterance((await started).utterance);
  }

  /** The first message of `type` (and for which `matches` holds) from message number `from` on; waits for it. */
  async next<T extends ServerMessageType>(
    type: T,
    matches: (message: ServerMessageOf<T>) => boolean = () => true,
    from = 0,
  ): Promise<ServerMessageOf<T>> {
    const find = () =>
      this.messages.slice(from).find((it): it is ServerMessageOf<T> & ServerMessage => {
        return it.type === type && matches(it as ServerMessageOf<T>);
      });
    return this.until(`a "${type}" message`, find);
  }

  /** The utterance of this number, once it has ended in whatever way. */
  utterance(number: number): Promise<SpokenUtterance> {
    return this.until(`the end of utterance ${number}`, () => this.#speech.ended(number));
  }

  /** What has arrived of an utterance so far, ended or not. */
  received(number: number): { readonly samples: number; readonly frames: readonly ReceivedFrame[] } {
    const frames = this.#speech.framesOf(number);
    return { samples: frames.reduce((sum, frame) => sum + frame.samples, 0), frames };
  }

  /** Whether a splice has come of an utterance, ended or not. */
  spliced(number: number): boolean {
    return this.#speech.splicesOf(number).length > 0;
  }

  /** Waits until `find` finds something. @throws Error on a violation, a closed connection or after the limit */
  async until<T>(what: string, find: () => T | undefined): Promise<T> {
    const deadlineMs = performance.now() + this.#limitMs;
    for (;;) {
      if (this.violations.length > 0) throw new Error(`protocol violated: ${this.violations.join("; ")}`);
      const found = find();
      if (found !== undefined) return found;
      if (this.#isClosed) throw new Error(`the connection closed while waiting for ${what}`);
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) {
        const seen = this.messages.map((it) => (it.type === "error" ? `error ${it.code}` : it.type));
        throw new Error(`no ${what} within ${this.#limitMs} ms; seen: ${seen.slice(-20).join(", ")}`);
      }
      await this.#change(leftMs);
    }
  }

  /** Stops reading the socket: the kernel's buffers fill, then the edge's. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  async close(code = 1000): Promise<void> {
    if (this.#isClosed) return;
    this.#socket.resume();
    this.#socket.close(code);
    const force = setTimeout(() => this.#socket.terminate(), 1_000);
    await this.closed;
    clearTimeout(force);
  }

  /** Ends the TCP connection without a close frame. */
  async terminate(): Promise<void> {
    this.#socket.terminate();
    await this.closed;
  }

  #change(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#watchers.delete(done);
        resolve();
      };
      const timer = setTimeout(done, limitMs);
      this.#watchers.add(done);
    });
  }

  #notify(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  #onMessage(data: Buffer): void {
    const value = JSON.parse(data.toString()) as { type: ServerMessageType };
    const message = serverMessageSchemas[value.type].parse(value) as ServerMessage;
    this.messages.push(message);
    if (message.type === "connected") this.#connected = message;
    this.#speech.onMessage(message);
  }
}

/** Code and message of a refused upgrade's body, or the body itself. */
function refusalOf(body: Buffer): string {
  try {
    const { error } = JSON.parse(body.toString()) as { error: { code: string; message: string } };
    return `${error.code} ${error.message}`;
  } catch {
    return body.toString();
  }
}
