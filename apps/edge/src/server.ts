import {
  App,
  DISABLED,
  type HttpRequest,
  type HttpResponse,
  type ListenOptions,
  type TemplatedApp,
  type us_listen_socket,
  us_listen_socket_close,
  type us_socket_context_t,
  us_socket_local_port,
} from "uWebSockets.js";
import { GatewayError, toGatewayError } from "@tts-labs/core/errors";
import { MAX_CLIENT_MESSAGE_BYTES } from "@tts-labs/core/limits";
import { SocketSink } from "./delivery/socket-sink.ts";
import { NativeConnection, type NativeConnectionOptions } from "./dialects/native.ts";
import { type NativeQuery, parseNativeQuery } from "./dialects/native-query.ts";
import { type SynthesizeServices, synthesize } from "./dialects/synthesize.ts";
import { HttpExchange } from "./http-exchange.ts";
import { type OpsServices, opsRoutes, runOps } from "./ops-routes.ts";
import type { PageRoutes } from "./page-routes.ts";

/** Messages up to this are read, so that one too long can be told so; beyond it uWS cuts the connection. */
const MAX_PAYLOAD_BYTES = 4 * MAX_CLIENT_MESSAGE_BYTES;
/** Above our own high-water mark, for the messages and the frame that may still follow when it is reached. */
const BACKPRESSURE_MARGIN_BYTES = 1024 * 1024;
/** The typings have the value only as an enum, which has no code behind it. */
const EXCLUSIVE_PORT = 1 as ListenOptions.LIBUS_LISTEN_EXCLUSIVE_PORT;

export interface ServerOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly socketHighWaterBytes: number;
  readonly socketIdleTimeoutS: number;
  readonly native: Omit<NativeConnectionOptions, "query" | "requestId" | "sink">;
  readonly synthesize: SynthesizeServices;
  readonly ops: OpsServices;
  readonly page: PageRoutes;
}

export interface Server {
  readonly url: string;
  readonly port: number;
  /** No new connections; those there are go on. May be called twice. */
  stopListening(): void;
  /** Ends every connection at once. May be called twice. */
  close(): void;
}

interface SocketData {
  readonly query: NativeQuery;
  readonly requestId: string;
  sink?: SocketSink<SocketData>;
  connection?: NativeConnection;
}

/**
 * The edge's port. uWebSockets.js rules that bite (reference/redis-delivery.md 4.6, 5.5) are kept here, in
 * `HttpExchange` and in the sinks. @throws GatewayError `config.invalid` when the port is taken
 */
export async function listen(options: ServerOptions): Promise<Server> {
  const app = App();
  routeNative(app, options);
  routeSynthesize(app, options);
  routeOps(app, options);
  routePage(app, options);
  app.any("/*", (response, request) => new HttpExchange(response, request).notFound());

  const { host, port } = options;
  const socket = await listenExclusively(app, host, port);
  const boundPort = us_socket_local_port(socket);
  let isListening = true;
  let isOpen = true;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${boundPort}`,
    port: boundPort,
    stopListening: () => {
      if (isListening) us_listen_socket_close(socket);
      isListening = false;
    },
    close: () => {
      if (isOpen) app.close();
      isListening = false;
      isOpen = false;
    },
  };
}

/** uWS shares a port with other processes unless told not to: a stale edge would take part of the connections. */
function listenExclusively(app: TemplatedApp, host: string, port: number): Promise<us_listen_socket> {
  // The typings know three of its four parameters.
  const listenOn = app.listen.bind(app) as unknown as (
    host: string,
    port: number,
    flags: number,
    onListening: (socket: us_listen_socket | false) => void,
  ) => void;
  return new Promise((resolve, reject) => {
    listenOn(host, port, EXCLUSIVE_PORT, (socket) => {
      if (socket !== false) resolve(socket);
      else reject(new GatewayError("config.invalid", `Can't listen on ${host}:${port}: is it taken?`));
    });
  });
}

function routeNative(app: TemplatedApp, options: ServerOptions): void {
  const path = "/api/v1/stream";
  app.ws<SocketData>(path, {
    compression: DISABLED,
    maxPayloadLength: MAX_PAYLOAD_BYTES,
    maxBackpressure: options.socketHighWaterBytes + BACKPRESSURE_MARGIN_BYTES,
    closeOnBackpressureLimit: false,
    idleTimeout: options.socketIdleTimeoutS,
    sendPingsAutomatically: true,
    upgrade: (response, request, context) => upgrade(response, request, context, options),
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
    },
  });
  app.any(path, (response, request) => {
    const exchange = new HttpExchange(response, request);
    const message = `${path} is a WebSocket: connect to it as one.`;
    if (exchange.method !== "GET") exchange.methodNotAllowed(["GET"]);
    else exchange.answerError(new GatewayError("protocol.invalid_message", message));
  });
}

/** Everything is decided in this one tick, so that nothing can happen to the request in between. */
function upgrade(
  response: HttpResponse,
  request: HttpRequest,
  context: us_socket_context_t,
  { native: { registry, observer } }: ServerOptions,
): void {
  const key = request.getHeader("sec-websocket-key");
  const protocol = request.getHeader("sec-websocket-protocol");
  const extensions = request.getHeader("sec-websocket-extensions");
  const exchange = new HttpExchange(response, request);
  try {
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

function routeSynthesize(app: TemplatedApp, { synthesize: services }: ServerOptions): void {
  const path = "/api/v1/synthesize";
  app.post(path, (response, request) => {
    void synthesize(new HttpExchange(response, request), services);
  });
  app.any(path, (response, request) => new HttpExchange(response, request).methodNotAllowed(["POST"]));
}

function routeOps(app: TemplatedApp, { ops }: ServerOptions): void {
  for (const [path, handler] of Object.entries(opsRoutes)) {
    const onGet = (response: HttpResponse, request: HttpRequest) =>
      runOps(handler, new HttpExchange(response, request), ops);
    app.get(path, onGet);
    app.head(path, onGet);
    app.any(path, (response, request) => {
      new HttpExchange(response, request).methodNotAllowed(["GET", "HEAD"]);
    });
  }
}

function routePage(app: TemplatedApp, { page }: ServerOptions): void {
  for (const path of page.paths) {
    const onGet = (response: HttpResponse, request: HttpRequest) => {
      const exchange = new HttpExchange(response, request);
      const answer = page.answer(exchange.path, exchange.ifNoneMatch);
      if (answer === undefined) exchange.notFound();
      else exchange.answer(answer.status, answer.headers, answer.body);
    };
    app.get(path, onGet);
    app.head(path, onGet);
    app.any(path, (response, request) => {
      new HttpExchange(response, request).methodNotAllowed(["GET", "HEAD"]);
    });
  }
}
