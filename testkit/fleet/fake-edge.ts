import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { PageRoutes } from "@tts-labs/edge/http/page-routes";
import { encodeAudioFrame } from "@tts-labs/protocol/audio-frame";
import type { ClientMessage } from "@tts-labs/protocol/client-message";
import { GatewayError } from "@tts-labs/protocol/errors";
import { encodeServerMessage, toErrorMessage } from "@tts-labs/protocol/server-message";
import { WebSocket, WebSocketServer } from "ws";
import { type FakeConnection, FakeSession, type FakeTroubles } from "./fake-session.ts";

/**
 * A small edge for tests of what people touch: it speaks the native protocol truly but synthesizes a hum, one swell
 * per word, at once and without Redis. What it said can be computed again (`humOf`), what it was told is kept. Its
 * sessions outlive their connections, and can be resumed on any fake edge that shares them.
 */
export interface FakeEdgeOptions {
  /** Serves the page too. */
  readonly page?: PageRoutes;
  /** Answers instead of the usual; true when it has dealt with the message. */
  readonly onMessage?: (message: ClientMessage, connection: FakeConnection) => boolean;
  /** By id; its own ones by default. */
  readonly sessions?: Map<string, FakeSession>;
  readonly troubles?: FakeTroubles;
}

export const FAKE_VOICES = [
  { voice_id: "simEnglishGrace0000A", name: "Grace", language: "en" },
  { voice_id: "simGermanAnna000000A", name: "Anna", language: "de" },
];

export class FakeEdge {
  readonly url: string;
  /** Everything clients have sent, in order. */
  readonly received: ClientMessage[] = [];
  /** Close codes of clients' connections, in order. */
  readonly closed: number[] = [];
  readonly sessions: Map<string, FakeSession>;
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
    this.sessions = options.sessions ?? new Map();
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.#sockets = new WebSocketServer({ server, path: "/api/v1/stream" });
    this.#sockets.on("connection", (socket, request) => this.#serve(socket, request, options));
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#sockets.clients.size;
  }

  /** Cuts every client off; without a code, without a word. */
  disconnectAll(code?: number): void {
    for (const socket of this.#sockets.clients) {
      if (code === undefined) socket.terminate();
      else socket.close(code);
    }
  }

  /** Asks every client to move. */
  drain(reconnectInMs: number): void {
    for (const { connection } of this.sessions.values()) {
      connection?.send({ type: "draining", reconnect_in_ms: reconnectInMs });
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#sockets.close();
    this.#server.close();
    this.#server.closeAllConnections();
    if (this.#server.listening) await once(this.#server, "close");
  }

  #serve(socket: WebSocket, request: IncomingMessage, { onMessage, troubles = {} }: FakeEdgeOptions): void {
    const { searchParams } = new URL(request.url ?? "/", "http://localhost");
    const connection = toConnection(socket);
    const sessionId = searchParams.get("session_id") ?? `ses_fake_${Math.random().toString(36).slice(2, 12)}`;
    let session: FakeSession | undefined;
    if (searchParams.get("resume") !== "true") {
      session = new FakeSession(sessionId, troubles);
      this.sessions.set(sessionId, session);
      session.attach(connection);
    }
    socket.on("message", (data: Buffer) => {
      if (socket.readyState !== WebSocket.OPEN || connection.isCut) return;
      const message = JSON.parse(data.toString()) as ClientMessage;
      this.received.push(message);
      if (onMessage?.(message, connection) === true) return;
      if (session !== undefined) {
        session.answer(message);
        return;
      }
      const known = this.sessions.get(sessionId);
      if (message.type === "resume" && known?.token === message.resume_token) {
        session = known;
        session.resume(connection, message);
        return;
      }
      connection.send(toErrorMessage(new GatewayError("session.unknown")));
      connection.close(4504);
    });
    socket.on("close", (code) => {
      this.closed.push(code);
      session?.detach(connection);
      // The client has said goodbye.
      if (code === 1000) this.sessions.delete(sessionId);
    });
  }
}

function toConnection(socket: WebSocket): FakeConnection {
  let isCut = false;
  const send = (data: string | Uint8Array) => {
    if (!isCut && socket.readyState === WebSocket.OPEN) socket.send(data);
  };
  return {
    send: (message) => send(encodeServerMessage(message)),
    sendFrame: (header, payload) => send(encodeAudioFrame(header, payload)),
    close: (code) => socket.close(code),
    get isCut() {
      return isCut;
    },
    cut: () => {
      isCut = true;
      // When what was sent before has been handed to the network; it may still be lost on the way.
      socket.ping("", false, () => socket.terminate());
    },
  };
}
