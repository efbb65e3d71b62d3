import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

/** A message of the client, as parsed; the provider's protocol is JSON both ways. */
export type ClientMessage = Readonly<Record<string, unknown>>;

/** One connection as the provider's side sees and drives it. */
export interface ProviderSession {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly socket: WebSocket;
  /** TCP below it, for faults that WebSocket knows no word for. */
  readonly tcp: Socket;
  /** Everything received, the opening message first. */
  readonly received: readonly ClientMessage[];
  readonly pings: number;
  /** Resolves with the close code that was met, once the connection is gone. */
  readonly closed: Promise<number>;
  /** The first message received that `matches`, now or later. */
  until(matches: (message: ClientMessage) => boolean): Promise<ClientMessage>;
  /** The client has sent its end mark. */
  ended(): Promise<ClientMessage>;
  send(message: unknown): void;
  sendRaw(data: string | Buffer): void;
  /** No close frame: the client sees 1006. */
  drop(): void;
}

export interface ScriptedProvider {
  readonly url: string;
  readonly sessions: readonly ProviderSession[];
  /** What happens on the next connections; default: nothing. */
  onSession: (session: ProviderSession) => unknown;
  /** Decides about an upgrade: `undefined` accepts. */
  onUpgrade: (request: IncomingMessage) => Refusal | "stall" | undefined;
  /** Plain HTTP. */
  onRequest: (request: IncomingMessage) => HttpAnswer | "stall";
  /** The n-th session, from 0, now or later. */
  session(n: number): Promise<ProviderSession>;
  close(): Promise<void>;
}

export interface HttpAnswer {
  readonly status: number;
  /** An object is sent as JSON; a buffer is sent as it is. */
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Refusal {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A provider that does exactly what the test says, and nothing by itself but answering pings and closes. */
export async function startScriptedProvider(
  onSession: ScriptedProvider["onSession"] = () => {},
): Promise<ScriptedProvider> {
  const http: Server = createServer();
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 1 << 20, autoPong: true });
  const sessions: ProviderSession[] = [];
  const tcps = new Set<Socket>();
  const waiting: (() => void)[] = [];
  const provider: ScriptedProvider = {
    url: "",
    sessions,
    onSession,
    onUpgrade: () => undefined,
    onRequest: () => ({ status: 404, body: {} }),
    async session(n) {
      while (sessions[n] === undefined) await new Promise<void>((resolve) => waiting.push(resolve));
      return sessions[n];
    },
    async close() {
      for (const tcp of tcps) tcp.destroy();
      http.close();
      await once(http, "close");
    },
  };
  http.on("connection", (tcp) => {
    tcps.add(tcp);
    tcp.on("error", () => {});
    tcp.on("close", () => tcps.delete(tcp));
  });
  http.on("request", (request, response) => {
    const answer = provider.onRequest(request);
    if (answer === "stall") return;
    const { status, body, headers } = answer;
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(Buffer.isBuffer(body) ? body : JSON.stringify(body));
  });
  http.on("upgrade", (request, tcp: Socket, head) => {
    const decision = provider.onUpgrade(request);
    if (decision === "stall") return;
    if (decision !== undefined) {
      const headers = { ...decision.headers, "content-length": String(Buffer.byteLength(decision.body)) };
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
      tcp.end(`HTTP/1.1 ${decision.status} Refused\r\n${lines.join("\r\n")}\r\n\r\n${decision.body}`);
      return;
    }
    sockets.handleUpgrade(request, tcp, head, (socket) => {
      const session = toSession(socket, request, tcp);
      sessions.push(session);
      for (const wake of waiting.splice(0)) wake();
      provider.onSession(session);
    });
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  return Object.assign(provider, { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` });
}

function toSession(socket: WebSocket, request: IncomingMessage, tcp: Socket): ProviderSession {
  const received: ClientMessage[] = [];
  const waiting: (() => void)[] = [];
  let pings = 0;
  socket.on("message", (data) => {
    received.push(JSON.parse(data.toString()) as ClientMessage);
    for (const wake of waiting.splice(0)) wake();
  });
  socket.on("ping", () => {
    pings += 1;
  });
  socket.on("error", () => {});
  const until = async (matches: (message: ClientMessage) => boolean): Promise<ClientMessage> => {
    for (;;) {
      const found = received.find(matches);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
  return {
    url: request.url ?? "",
    headers: request.headers,
    socket,
    tcp,
    received,
    get pings() {
      return pings;
    },
    closed: new Promise((resolve) => socket.on("close", resolve)),
    until,
    ended: () => until(({ text, flush }) => text === "" && flush !== true),
    send: (message) => socket.send(JSON.stringify(message)),
    sendRaw: (data) => socket.send(data),
    drop: () => socket.terminate(),
  };
}

/** An audio message as the provider sends it. */
export const audioMessage = (pcm: Buffer, alignment: object | null = null) => ({
  alignment,
  audio: pcm.toString("base64"),
  isFinal: null,
  normalizedAlignment: null,
});

export const FINAL_MESSAGE = { alignment: null, audio: null, isFinal: true, normalizedAlignment: null };
