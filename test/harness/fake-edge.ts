import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { encodeAudioFrame } from "@tts-labs/core/protocol/audio-frame";
import type { ClientMessage } from "@tts-labs/core/protocol/client-message";
import { encodeServerMessage, type ServerMessage } from "@tts-labs/core/protocol/server-message";
import type { PageRoutes } from "@tts-labs/edge/page-routes";
import { type WebSocket, WebSocketServer } from "ws";

/**
 * A small edge for tests of what people touch: it speaks the native protocol truly but synthesizes a hum, one swell
 * per word, at once and without Redis. What it said can be computed again (`humOf`), what it was told is kept.
 */
export interface FakeEdgeOptions {
  /** Serves the page too. */
  readonly page?: PageRoutes;
  /** Answers instead of the usual; true when it has dealt with the message. */
  readonly onMessage?: (message: ClientMessage, connection: FakeConnection) => boolean;
}

export interface FakeConnection {
  send(message: ServerMessage): void;
  sendFrame(frame: Parameters<typeof encodeAudioFrame>[0], payload: Uint8Array): void;
  close(code: number): void;
}

export interface HumWord {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

const SAMPLE_RATE_HZ = 24_000;
const FRAME_SAMPLES = 960;
const MS_PER_CHARACTER = 55;

export const FAKE_VOICES = [
  { voice_id: "simEnglishGrace0000A", name: "Grace", language: "en" },
  { voice_id: "simGermanAnna000000A", name: "Anna", language: "de" },
];

/** The PCM of `text` and its words with their times. */
export function humOf(text: string): { readonly pcm: Int16Array; readonly words: readonly HumWord[] } {
  const words: HumWord[] = [];
  let endMs = 0;
  for (const word of text.split(/\s+/).filter((it) => it !== "")) {
    const startMs = endMs;
    endMs += (word.length + 1) * MS_PER_CHARACTER;
    words.push({ text: word, startMs, endMs });
  }
  const pcm = new Int16Array((endMs * SAMPLE_RATE_HZ) / 1000);
  for (const [n, { startMs, endMs: wordEndMs }] of words.entries()) {
    const first = Math.round((startMs * SAMPLE_RATE_HZ) / 1000);
    const count = Math.round(((wordEndMs - startMs) * SAMPLE_RATE_HZ) / 1000);
    for (let i = 0; i < count; i++) {
      const pitch = Math.sin((2 * Math.PI * (180 + 40 * (n % 5)) * i) / SAMPLE_RATE_HZ);
      pcm[first + i] = Math.round(9_000 * Math.sin((Math.PI * i) / count) * pitch);
    }
  }
  return { pcm, words };
}

export class FakeEdge {
  readonly url: string;
  /** Everything clients have sent, in order. */
  readonly received: ClientMessage[] = [];
  readonly #server: Server;
  readonly #sockets: WebSocketServer;

  static async start(options: FakeEdgeOptions = {}, port = 0): Promise<FakeEdge> {
    const server = createServer((request, response) => {
      const path = new URL(request.url ?? "/", "http://localhost").pathname;
      if (path === "/api/v1/voices") {
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify({ voices: FAKE_VOICES }));
        return;
      }
      const answer = options.page?.answer(path, request.headers["if-none-match"]);
      if (answer === undefined) response.writeHead(404).end();
      else response.writeHead(answer.status, answer.headers).end(answer.body);
    });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return new FakeEdge(server, options);
  }

  private constructor(server: Server, options: FakeEdgeOptions) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.#sockets = new WebSocketServer({ server, path: "/api/v1/stream" });
    this.#sockets.on("connection", (socket) => this.#serve(socket, options));
  }

  /** Cuts every client off. */
  disconnectAll(code = 1012): void {
    for (const socket of this.#sockets.clients) socket.close(code);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#sockets.close();
    this.#server.close();
    this.#server.closeAllConnections();
    if (this.#server.listening) await once(this.#server, "close");
  }

  #serve(socket: WebSocket, options: FakeEdgeOptions): void {
    const connection: FakeConnection = {
      send: (message) => socket.send(encodeServerMessage(message)),
      sendFrame: (header, payload) => socket.send(encodeAudioFrame(header, payload)),
      close: (code) => socket.close(code),
    };
    connection.send(greeting());
    const conversation = new Conversation(connection);
    socket.on("message", (data: Buffer) => {
      const message = JSON.parse(data.toString()) as ClientMessage;
      this.received.push(message);
      if (options.onMessage?.(message, connection) !== true) conversation.answer(message);
    });
  }
}

function greeting(): ServerMessage {
  return {
    type: "connected",
    protocol: 1,
    session_id: "ses_fake_0123456789",
    resume_token: "fake-resume-token-of-no-use",
    provider: "hum",
    model: "hum_v1",
    voice: "simEnglishGrace0000A",
    sample_rate: SAMPLE_RATE_HZ,
    frame_samples: FRAME_SAMPLES,
    delivery: "burst",
    overflow: "wait",
    request_id: "req_fake",
    resumed: false,
    utterances: [],
  };
}

/** One connection's utterances, spoken when their text is complete. */
class Conversation {
  readonly #connection: FakeConnection;
  #utterance = 0;
  #text: string | undefined;
  #playedSamples = 0;

  constructor(connection: FakeConnection) {
    this.#connection = connection;
  }

  answer(message: ClientMessage): void {
    if (message.type === "ping")
      this.#connection.send({ type: "pong", ...(message.t === undefined ? {} : { t: message.t }) });
    if (message.type === "played") this.#playedSamples = message.samples;
    if (message.type === "text") this.#hear(message.text, message.voice);
    if (message.type === "stream_end") this.#speak();
    if (message.type === "cancel") this.#cancel();
  }

  #hear(text: string, voice: string | undefined): void {
    if (this.#text === undefined) {
      this.#text = "";
      this.#playedSamples = 0;
      this.#connection.send({
        type: "utterance_started",
        utterance_id: `utt_${++this.#utterance}`,
        utterance: this.#utterance,
        voice: voice ?? "simEnglishGrace0000A",
        model: "hum_v1",
      });
    }
    this.#text += text;
  }

  #speak(): void {
    const text = this.#text ?? "";
    this.#text = undefined;
    const { pcm, words } = humOf(text);
    const utterance = { utterance_id: `utt_${this.#utterance}`, utterance: this.#utterance };
    const bytes = new Uint8Array(pcm.buffer);
    let frames = 0;
    for (let first = 0; first < pcm.length; first += FRAME_SAMPLES) {
      const last = first + FRAME_SAMPLES >= pcm.length;
      const header = { firstSample: first, seq: ++frames, last, deflated: false, splice: false };
      this.#connection.sendFrame(
        { utterance: this.#utterance, ...header },
        bytes.subarray(first * 2, (first + FRAME_SAMPLES) * 2),
      );
    }
    this.#connection.send({
      type: "words",
      utterance_id: utterance.utterance_id,
      words: words.map(({ text: word, startMs, endMs }) => ({
        text: word,
        start_ms: startMs,
        end_ms: endMs,
      })),
    });
    this.#connection.send({
      type: "stream_complete",
      ...utterance,
      characters: text.length,
      samples: pcm.length,
      frames,
      dropped_frames: 0,
      duration_ms: (pcm.length * 1000) / SAMPLE_RATE_HZ,
      first_audio_ms: 1,
      latency_ms: { queue: 0.5 },
    });
  }

  #cancel(): void {
    if (this.#text === undefined) return;
    this.#text = undefined;
    this.#connection.send({
      type: "cancelled",
      utterance_id: `utt_${this.#utterance}`,
      utterance: this.#utterance,
      sent_samples: 0,
      played_samples: this.#playedSamples,
    });
  }
}
