import type { ClientMessage } from "@tts-labs/protocol/client-message";
import { WebSocket } from "ws";
import { within } from "./speech.ts";

const LIMIT_MS = 20_000;

/** A session of the native protocol whose one utterance comes token by token, of which the first audio is awaited. */
export class TokenSpeaker {
  readonly #socket: WebSocket;
  readonly #options: { readonly language: string; readonly natural: boolean };
  readonly #firstAudio: Promise<number>;
  #hasAudio = false;

  static async open(
    edgeUrl: string,
    options: { readonly language: string; readonly natural: boolean },
  ): Promise<TokenSpeaker> {
    const url = new URL("/api/v1/stream", edgeUrl.replace(/^http/, "ws"));
    const socket = new WebSocket(url, { perMessageDeflate: false });
    const speaker = new TokenSpeaker(socket, options);
    const connected = new Promise<void>((resolve, reject) => {
      socket.once("message", () => resolve());
      socket.once("error", reject);
    });
    await within(LIMIT_MS, "connecting to the edge", connected);
    return speaker;
  }

  private constructor(socket: WebSocket, options: { readonly language: string; readonly natural: boolean }) {
    this.#socket = socket;
    this.#options = options;
    this.#firstAudio = new Promise((resolve, reject) => {
      socket.on("message", (data: Buffer, isBinary: boolean) => {
        const atMs = performance.now();
        if (isBinary) {
          this.#hasAudio = true;
          resolve(atMs);
        } else if (data.includes('"type":"error"')) reject(new Error(data.toString()));
      });
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("the edge closed before any audio came")));
    });
    this.#firstAudio.catch(() => undefined);
  }

  get hasAudio(): boolean {
    return this.#hasAudio;
  }

  send(text: string): void {
    const message: ClientMessage = { type: "text", text, ...this.#options };
    this.#socket.send(JSON.stringify(message));
  }

  /** On the clock of `performance.now()`. @throws Error when none comes in time, or the utterance fails */
  firstAudio(limitMs: number): Promise<number> {
    return within(limitMs, "the first audio", this.#firstAudio);
  }

  close(): void {
    this.#socket.close(1000);
  }
}
