import "./http/head-limit.ts";
import {
  App,
  DISABLED,
  type HttpRequest,
  type HttpResponse,
  type TemplatedApp,
  type us_socket_context_t,
} from "uWebSockets.js";
import { Door } from "@tts-labs/core/http/door";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import { MAX_CLIENT_MESSAGE_BYTES, NATIVE_SUBPROTOCOL } from "@tts-labs/protocol/limits";
import type { RequestGate } from "./budget/request-gate.ts";
import { NativeConnection } from "./dialects/native/native.ts";
import type { NativeConnectionOptions } from "./dialects/native/native-options.ts";
import { type NativeQuery, parseNativeQuery } from "./dialects/native/query.ts";
import { SocketSink } from "./dialects/native/socket-sink.ts";
import { type SynthesizeServices, synthesize } from "./dialects/synthesize/synthesize.ts";
import { type Listener, listenOn } from "./http/listen.ts";
import { clientRoutes, type OpsServices, runOps } from "./http/ops-routes.ts";
import type { PageRoutes } from "./http/page-routes.ts";
import { Routes } from "./http/routes.ts";

/** Messages up to this are read, so that one too long can be told so; beyond it uWS cuts the connection. */
const MAX_PAYLOAD_BYTES = 4 * MAX_CLIENT_MESSAGE_BYTES;
/** Above our own high-water mark, for the messages and the frame that may still follow when it is reached. */
const BACKPRESSURE_MARGIN_BYTES = 1024 * 1024;

export interface ServerOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly socketHighWaterBytes: number;
  readonly socketIdleTimeoutS: number;
  readonly gate: RequestGate;
  readonly native: Omit<NativeConnectionOptions, "query" | "requestId" | "sink">;
  readonly synthesize: SynthesizeServices;
  readonly ops: OpsServices;
  readonly page: PageRoutes;
}

interface SocketData {
  readonly query: NativeQuery;
  readonly requestId: string;
  sink?: SocketSink<SocketData>;
  connection?: NativeConnection;
}

/**
 * The edge's port. The rules of uWebSockets.js that bite (docs/ground.md, uWebSockets.js) are kept here, in
 * `http/` and in the sinks. @throws GatewayError `config.invalid` when the port is taken
 */
export async function listen(options: ServerOptions): Promise<Listener> {
  const app = App();
  const { host: boundTo, port, allowedHosts, allowedOrigins, gate } = options;
  const routes = new Routes(app, new Door({ boundTo, allowedHosts, allowedOrigins }), gate);
  routeNative(app, routes, options);
  routes.add("/api/v1/synthesize", { POST: (exchange) => void synthesize(exchange, options.synthesize) });
  for (const [path, handler] of Object.entries(clientRoutes)) {
    routes.add(path, { GET: (exchange) => runOps(handler, exchange, options.ops) });
  }
  routePage(routes, options.page);
  routes.addRest();
  return listenOn(app, { host: boundTo, port, variable: "PORT" });
}

function routeNative(app: TemplatedApp, routes: Routes, options: ServerOptions): void {
  const path = "/api/v1/stream";
  app.ws<SocketData>(path, {
    compression: DISABLED,
    maxPayloadLength: MAX_PAYLOAD_BYTES,
    maxBackpressure: options.socketHighWaterBytes + BACKPRESSURE_MARGIN_BYTES,
    closeOnBackpressureLimit: false,
    idleTimeout: options.socketIdleTimeoutS,
    sendPingsAutomatically: true,
    upgrade: (response, request, context) => upgrade(response, request, context, routes, options),
    open: (socket) => {
      const data = socket.getUserData();
      const sink = new SocketSink(socket, {
        highWaterBytes: options.socketHighWaterBytes,
        closeFrameBytes: options.socketHighWaterBytes + BACKPRESSURE_MARGIN_BYTES / 2,
      });
      data.sink = sink;
      options.native.observer.connectionOpened();
      try {
        const { query, requestId } = data;
        data.connection = new NativeConnection({ ...options.native, query, requestId, sink });
      } catch (error) {
        sink.refuse(toGatewayError(error));
      }
    },
    message: (socket, message, isBinary) => {
      socket.getUserData().connection?.onMessage(new Uint8Array(message), isBinary);
    },
    ping: (socket) => socket.getUserData().connection?.onPing(),
    pong: (socket, message) => socket.getUserData().connection?.onPong(Buffer.from(message).toString()),
    drain: (socket) => socket.getUserData().connection?.onDrain(),
    close: (socket, code) => {
      const { sink, connection } = socket.getUserData();
      sink?.onClosed();
      connection?.onClosed(code);
      options.native.observer.connectionClosed();
      options.gate.connections.closed();
    },
  });
  routes.add(path, {
    GET: (exchange) => {
      const message = `${path} is a WebSocket: connect to it as one.`;
      exchange.answerError(new GatewayError("protocol.invalid_message", message));
    },
  });
}

/** Everything is decided in this one tick, so that nothing can happen to the request in between. */
function upgrade(
  response: HttpResponse,
  request: HttpRequest,
  context: us_socket_context_t,
  routes: Routes,
  { native: { registry, observer }, gate }: ServerOptions,
): void {
  const key = request.getHeader("sec-websocket-key");
  const protocol = chooseSubprotocol(request.getHeader("sec-websocket-protocol"));
  const extensions = request.getHeader("sec-websocket-extensions");
  const exchange = routes.enter(response, request);
  if (exchange === undefined) return;
  try {
    gate.connections.assertRoom();
    const query = parseNativeQuery(exchange.query);
    registry.admit(query.resume === "true" ? "resumed" : "new", query.session_id);
    const { requestId } = exchange;
    response.cork(() => {
      response.writeStatus("101 Switching Protocols").writeHeader("x-request-id", requestId);
      response.upgrade<SocketData>({ query, requestId }, key, protocol, extensions, context);
    });
    exchange.markAnswered();
  } catch (thrown) {
    const error = toGatewayError(thrown);
    observer.errorTold(error.code);
    exchange.answerError(error);
  }
}

/**
 * The one protocol of those offered that we speak; "": none, and the answer names none. What a client offers is never
 * sent back otherwise: some put their keys there.
 */
const chooseSubprotocol = (offered: string): string =>
  offered.split(",").some((it) => it.trim() === NATIVE_SUBPROTOCOL) ? NATIVE_SUBPROTOCOL : "";

function routePage(routes: Routes, page: PageRoutes): void {
  for (const path of page.paths) {
    routes.add(path, {
      GET: (exchange) => {
        const answer = page.answer(exchange.path, exchange.ifNoneMatch);
        if (answer === undefined) exchange.notFound();
        else exchange.answer(answer.status, answer.headers, answer.body);
      },
    });
  }
}
