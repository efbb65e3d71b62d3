import { parseAudioFrame } from "@tts-labs/protocol/audio-frame";
import type { ClientMessage } from "@tts-labs/protocol/client-message";
import {
  type ServerMessage,
  type ServerMessageOf,
  type ServerMessageType,
  serverMessageSchemas,
} from "@tts-labs/protocol/server-message";
import { onTestFinished } from "vitest";
import { WebSocket } from "ws";

export interface Received {
  readonly utteranceId: string;
  readonly pcm: Buffer;
  readonly words: readonly string[];
  readonly end: ServerMessage | undefined;
}

interface Receiving {
  readonly utteranceId: string;
  readonly parts: Buffer[];
  readonly words: string[];
  bytes: number;
  seq: number | undefined;
  end: ServerMessage | undefined;
}

type Connected = ServerMessageOf<"connected">;

/**
 * A client whose connection may be cut as often as a test likes: goes on over another one, anywhere, at the very
 * sample, and holds what comes against what it has. A gap, a repeated sample or a message that does not fit
 * stands in `violations`.
 */
export class ResumingTestClient {
  readonly violations: string[] = [];
  readonly errors: ServerMessageOf<"error">[] = [];
  /** From opening the socket to the first byte that was missing, of each resume that brought audio; ms. */
  readonly resumeMs: number[] = [];
  closeCode: number | undefined;
  #socket: WebSocket | undefined;
  #connected: Connected | undefined;
  /** By number, in the order of their beginning. */
  readonly #utterances = new Map<number, Receiving>();
  readonly #watchers = new Set<() => void>();
  #bytes = 0;
  #resumedAtMs: number | undefined;
  #onOpen: () => void = () => {};

  /** On a first connection, which ends with the test. */
  static async connect(
    url: string,
    query: Readonly<Record<string, string>> = {},
  ): Promise<ResumingTestClient> {
    const client = new ResumingTestClient();
    onTestFinished(() => client.cut());
    await client.connect(url, query);
    return client;
  }

  /** The same client on another connection, while the older one is still there: knows how far that one has come. */
  static async follow(older: ResumingTestClient, url: string): Promise<ResumingTestClient> {
    const client = new ResumingTestClient();
    client.#connected = older.connected;
    for (const [number, it] of older.#utterances) {
      client.#utterances.set(number, { ...it, parts: [], words: [] });
    }
    await client.resume(url);
    return client;
  }

  /** Runs `act` when the socket of the next connection is open. */
  whenOpen(act: () => void): void {
    this.#onOpen = act;
  }

  get connected(): Connected {
    if (this.#connected === undefined) throw new Error("not connected");
    return this.#connected;
  }

  /** Bytes of audio over all connections. */
  get bytes(): number {
    return this.#bytes;
  }

  async connect(url: string, query: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.#open(url, query);
  }

  /** What it would say; a test may bend it. */
  position(): Omit<Extract<ClientMessage, { type: "resume" }>, "type"> {
    const current = [...this.#utterances.values()].find((it) => it.end === undefined);
    return {
      resume_token: this.connected.resume_token,
      ...(current === undefined ? {} : { utterance_id: current.utteranceId, sample: current.bytes / 2 }),
      ...(current?.seq === undefined ? {} : { seq: current.seq }),
    };
  }

  async resume(url: string, bent: Partial<ReturnType<ResumingTestClient["position"]>> = {}): Promise<void> {
    const { session_id } = this.connected;
    this.#resumedAtMs = performance.now();
    await this.#open(url, { session_id, resume: "true" }, { type: "resume", ...this.position(), ...bent });
    for (const { utterance, utterance_id } of this.connected.utterances) this.#begin(utterance, utterance_id);
  }

  send(message: ClientMessage): void {
    this.#socket?.send(JSON.stringify(message));
  }

  /** Reads no more over this connection; the network holds what it can. */
  pause(): void {
    this.#socket?.pause();
  }

  /** The TCP connection ends without a word; what has not been read by now is lost. */
  cut(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.removeAllListeners();
    socket?.on("error", () => {});
    socket?.terminate();
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || socket.readyState === WebSocket.CLOSED) return;
    socket.close(1000);
    await this.until("the close", () => this.closeCode);
  }

  received(number: number): Received {
    const it = this.#utterances.get(number);
    if (it === undefined) return { utteranceId: "", pcm: Buffer.alloc(0), words: [], end: undefined };
    return { utteranceId: it.utteranceId, pcm: Buffer.concat(it.parts), words: it.words, end: it.end };
  }

  async ended(number: number): Promise<Received> {
    await this.until(`the end of utterance ${number}`, () => this.#utterances.get(number)?.end);
    return this.received(number);
  }

  async until<T>(what: string, find: () => T | undefined, limitMs = 15_000): Promise<T> {
    const deadlineMs = performance.now() + limitMs;
    for (;;) {
      if (this.violations.length > 0) throw new Error(this.violations.join("; "));
      const found = find();
      if (found !== undefined) return found;
      const leftMs = deadlineMs - performance.now();
      const told = this.errors.map(({ code }) => code).join(", ");
      if (leftMs <= 0) throw new Error(`no ${what} within ${limitMs} ms; errors: ${told || "none"}`);
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          this.#watchers.delete(done);
          resolve();
        };
        const timer = setTimeout(done, leftMs);
        this.#watchers.add(done);
      });
    }
  }

  async #open(url: string, query: Readonly<Record<string, string>>, first?: ClientMessage): Promise<void> {
    const address = new URL("/api/v1/stream", url.replace(/^http/, "ws"));
    for (const [key, value] of Object.entries(query)) address.searchParams.set(key, value);
    const socket = new WebSocket(address);
    this.#socket = socket;
    this.closeCode = undefined;
    let greeting: Connected | undefined;
    socket.on("open", () => {
      if (first !== undefined) socket.send(JSON.stringify(first));
      this.#onOpen();
    });
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.#onFrame(data);
      else {
        const message = parse(data);
        if (message.type === "connected") {
          greeting = message;
          this.#connected = message;
          if (message.resumed) {
            for (const { utterance, utterance_id } of message.utterances)
              this.#begin(utterance, utterance_id);
          }
        } else this.#onMessage(message);
      }
      for (const watcher of [...this.#watchers]) watcher();
    });
    socket.on("error", () => {});
    socket.on("close", (code) => {
      this.closeCode = code;
      for (const watcher of [...this.#watchers]) watcher();
    });
    await this.until("a greeting", () => greeting ?? this.closeCode);
    if (greeting === undefined) throw new Error(`refused with ${this.closeCode} ${this.errors.at(-1)?.code}`);
  }

  #begin(number: number, utteranceId: string): void {
    if (this.#utterances.has(number)) return;
    this.#utterances.set(number, {
      utteranceId,
      parts: [],
      words: [],
      bytes: 0,
      seq: undefined,
      end: undefined,
    });
  }

  #onMessage(message: ServerMessage): void {
    if (message.type === "utterance_started") this.#begin(message.utterance, message.utterance_id);
    if (message.type === "error") this.errors.push(message);
    if (!("utterance_id" in message) || message.utterance_id === undefined) return;
    const it = [...this.#utterances.values()].find(({ utteranceId }) => utteranceId === message.utterance_id);
    if (it === undefined) this.violations.push(`"${message.type}" of an utterance that is not known`);
    else if (message.type === "words") it.words.push(...message.words.map(({ text }) => text));
    else if (isEnd(message)) it.end ??= message;
  }

  #onFrame(data: Buffer): void {
    const { utterance, firstSample, payload, seq } = parseAudioFrame(data);
    const it = this.#utterances.get(utterance);
    if (it === undefined) this.violations.push(`frame of utterance ${utterance}, which is not known`);
    else if (it.end !== undefined) this.violations.push(`frame after the end of utterance ${utterance}`);
    else if (firstSample * 2 !== it.bytes) {
      this.violations.push(`utterance ${utterance}: ${firstSample} came where ${it.bytes / 2} was due`);
    } else {
      it.parts.push(Buffer.from(payload));
      it.bytes += payload.byteLength;
      it.seq = seq;
    }
    this.#bytes += payload.byteLength;
    if (this.#resumedAtMs === undefined) return;
    this.resumeMs.push(performance.now() - this.#resumedAtMs);
    this.#resumedAtMs = undefined;
  }
}

const ENDS: ReadonlySet<string> = new Set(["stream_complete", "cancelled", "error"]);
const isEnd = (message: ServerMessage): boolean => ENDS.has(message.type);

function parse(data: Buffer): ServerMessage {
  const value = JSON.parse(data.toString()) as { type: ServerMessageType };
  return serverMessageSchemas[value.type].parse(value) as ServerMessage;
}
