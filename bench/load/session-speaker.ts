import { parseAudioFrame } from "@tts-labs/protocol/audio-frame";
import type { ClientMessage } from "@tts-labs/protocol/client-message";
import type { ServerMessage } from "@tts-labs/protocol/server-message";
import { WebSocket } from "ws";
import { Ear, type HeardUtterance, type SampleCheck, within } from "./speech.ts";

const LIMIT_MS = 20_000;

/** One session of the native protocol, which speaks one utterance after the other. */
export class SessionSpeaker {
  readonly #socket: WebSocket;
  readonly #options: { readonly voice: string };
  readonly #limitMs: number;
  #ear: Ear | undefined;
  #settle: { resolve(heard: HeardUtterance): void; reject(error: Error): void } | undefined;

  #onPong: () => void = () => {};

  /** @param limitMs of each utterance */
  static async open(
    edgeUrl: string,
    options: { readonly voice: string },
    limitMs = LIMIT_MS,
  ): Promise<SessionSpeaker> {
    const socket = new WebSocket(new URL("/api/v1/stream", edgeUrl.replace(/^http/, "ws")), {
      perMessageDeflate: false,
    });
    const speaker = new SessionSpeaker(socket, options, limitMs);
    const connected = new Promise<void>((resolve, reject) => {
      socket.once("message", () => resolve());
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("the edge closed before it said connected")));
    });
    await within(limitMs, "connecting to the edge", connected);
    return speaker;
  }

  private constructor(socket: WebSocket, options: { readonly voice: string }, limitMs: number) {
    this.#socket = socket;
    this.#limitMs = limitMs;
    this.#options = options;
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      const atMs = performance.now();
      if (isBinary) this.#ear?.hear(parseAudioFrame(data).payload, atMs);
      else this.#onMessage(JSON.parse(data.toString()) as ServerMessage);
    });
    socket.on("error", (error) => this.#settle?.reject(error));
    socket.on("close", (code) => this.#settle?.reject(new Error(`the edge closed with ${code}`)));
  }

  /** What the cache had to do with the last utterance. */
  cache: string | undefined;

  /** One at a time. */
  speak(text: string, check?: SampleCheck): Promise<HeardUtterance> {
    const spoken = new Promise<HeardUtterance>((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#ear = new Ear(performance.now(), check);
    this.#send({ type: "text", text, end: true, ...this.#options });
    return within(this.#limitMs, "speaking through the edge", spoken);
  }

  /** Round trip over the same connection, with nothing to be done; milliseconds. */
  async ping(): Promise<number> {
    const startedAtMs = performance.now();
    const pong = new Promise<number>((resolve) => {
      this.#onPong = () => resolve(performance.now() - startedAtMs);
    });
    this.#send({ type: "ping" });
    return within(LIMIT_MS, "a pong", pong);
  }

  close(): void {
    this.#socket.close(1000);
  }

  #send(message: ClientMessage): void {
    this.#socket.send(JSON.stringify(message));
  }

  #onMessage(message: ServerMessage): void {
    if (message.type === "stream_complete" && this.#ear !== undefined) {
      this.cache = message.cache;
      this.#settle?.resolve(this.#ear.finish(message.latency_ms));
    }
    if (message.type === "pong") this.#onPong();
    if (message.type === "error") this.#settle?.reject(new Error(`${message.code}: ${message.message}`));
  }
}
