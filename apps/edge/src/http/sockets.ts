import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t, WebSocket } from "uWebSockets.js";
import { DISABLED } from "uWebSockets.js";
import type { TokenPurpose } from "@tts-labs/core/access/browser-tokens";
import { newRequestId } from "@tts-labs/core/ids";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { TenantLimiter } from "../access/tenant-limiter.ts";
import type { ClientSocket, ClientSocketLimits, UnreadSockets } from "./client-socket.ts";
import type { ErrorForm, HttpExchange } from "./exchange.ts";
import type { RequestHandler, Routes } from "./routes.ts";

/** Above our own high-water mark, for the messages and the frame that may still follow when it is reached. */
const BACKPRESSURE_MARGIN_BYTES = 1024 * 1024;

/** What a dialect does with one connection. */
export interface SocketHandler {
  /** `bytes` are valid during the call. */
  onMessage(bytes: Uint8Array, isBinary: boolean): void;
  /** The client has sent a ping, which is answered already. */
  onPing(): void;
  onPong(payload: string): void;
  /** The socket takes more again. */
  onDrain(): void;
  /** May be called after the dialect has closed it. */
  onClosed(code: number): void;
}

/** A connection that was let in. */
export interface AdmittedSocket {
  /** The subprotocol that is answered; "": none. */
  readonly protocol: string;
  open(socket: WebSocket<SocketData>, limits: ClientSocketLimits): OpenedSocket;
}

export interface OpenedSocket {
  readonly client: Pick<ClientSocket<SocketData>, "onClosed" | "onDrain">;
  /** Absent where the dialect has refused it already. */
  readonly handler?: SocketHandler;
}

export interface SocketData {
  readonly admitted: AdmittedSocket;
  /** It counts against its tenant's limit until then. */
  readonly release: () => void;
  opened?: OpenedSocket;
}

export interface SocketRoute {
  readonly path: string;
  readonly maxPayloadBytes: number;
  /**
   * Called once `exchange.caller` is known.
   * @param offered the subprotocols, as the client has written them
   * @throws GatewayError which is answered in place of the upgrade
   */
  readonly admit: (exchange: HttpExchange, offered: string) => AdmittedSocket;
  /** The tokens that are good for it; absent: those for `stream`. */
  readonly token?: TokenPurpose;
  /** A client that shows no credentials is let in, without `exchange.caller`: its first message has to show them. */
  readonly authenticatesLater?: boolean;
  /** A client that takes the place of a connection of its own, which may still count, may be one beyond the limit. */
  readonly takesPlace?: (exchange: HttpExchange) => boolean;
  /** True: no key is asked for, since the route has credentials of its own. `exchange.caller` stays unknown. */
  readonly hasOwnCredentials?: boolean;
  /** Of what is answered in place of an upgrade; absent: our own. */
  readonly errorForm?: ErrorForm;
  /** For clients that learn nothing from an upgrade that is refused: it is let in, told why, and closed. */
  readonly refuseInBand?: (error: GatewayError, exchange: HttpExchange) => AdmittedSocket;
  /** What the same path answers to a request. */
  readonly post?: RequestHandler;
}

export interface SocketsOptions {
  readonly app: TemplatedApp;
  readonly routes: Routes;
  readonly highWaterBytes: number;
  readonly idleTimeoutS: number;
  readonly unread: UnreadSockets;
  readonly observer: {
    connectionOpened(): void;
    connectionClosed(): void;
    errorTold(code: GatewayError["code"]): void;
  };
  readonly connections: { assertRoom(): void; closed(): void };
  readonly limiter: Pick<TenantLimiter, "connect">;
}

/** Every WebSocket route of one port: what is the same for all dialects is done here. */
export class Sockets {
  readonly #options: SocketsOptions;

  constructor(options: SocketsOptions) {
    this.#options = options;
  }

  add(route: SocketRoute): void {
    const { app, routes, highWaterBytes, idleTimeoutS, observer, connections, unread } = this.#options;
    const limits: ClientSocketLimits = {
      highWaterBytes,
      unread,
      closeFrameBytes: highWaterBytes + BACKPRESSURE_MARGIN_BYTES / 2,
    };
    app.ws<SocketData>(route.path, {
      compression: DISABLED,
      maxPayloadLength: route.maxPayloadBytes,
      maxBackpressure: highWaterBytes + BACKPRESSURE_MARGIN_BYTES,
      closeOnBackpressureLimit: false,
      idleTimeout: idleTimeoutS,
      sendPingsAutomatically: true,
      upgrade: (response, request, context) => void this.#upgrade(response, request, context, route),
      open: (socket) => {
        const data = socket.getUserData();
        observer.connectionOpened();
        data.opened = data.admitted.open(socket, limits);
      },
      message: (socket, message, isBinary) => {
        socket.getUserData().opened?.handler?.onMessage(new Uint8Array(message), isBinary);
      },
      ping: (socket) => socket.getUserData().opened?.handler?.onPing(),
      pong: (socket, message) =>
        socket.getUserData().opened?.handler?.onPong(Buffer.from(message).toString()),
      drain: (socket) => {
        const { opened } = socket.getUserData();
        opened?.client.onDrain();
        opened?.handler?.onDrain();
      },
      close: (socket, code) => {
        const { opened, release } = socket.getUserData();
        opened?.client.onClosed();
        opened?.handler?.onClosed(code);
        // A session that waits to be resumed counts by now, so that its place is free at no time.
        release();
        observer.connectionClosed();
        connections.closed();
      },
    });
    const refuse = (exchange: HttpExchange) => {
      const message = `${exchange.shownPath} is a WebSocket: connect to it as one.`;
      exchange.answerError(new GatewayError("protocol.invalid_message", message));
    };
    const post = route.post === undefined ? {} : { POST: route.post };
    routes.add(route.path, { GET: refuse, ...post }, route.errorForm);
  }

  /** What is needed of the request is read in this one tick, after which uWS forgets it. Never rejects. */
  async #upgrade(
    response: HttpResponse,
    request: HttpRequest,
    context: us_socket_context_t,
    route: SocketRoute,
  ): Promise<void> {
    const {
      admit,
      errorForm,
      refuseInBand,
      takesPlace,
      token = "stream",
      authenticatesLater = false,
    } = route;
    const { routes, connections, limiter, observer } = this.#options;
    const key = request.getHeader("sec-websocket-key");
    const offered = request.getHeader("sec-websocket-protocol");
    const extensions = request.getHeader("sec-websocket-extensions");
    const exchange = routes.enter(response, request, errorForm);
    if (exchange === undefined) return;
    let release = () => {};
    const letIn = (admitted: AdmittedSocket) => {
      response.cork(() => {
        response.writeStatus("101 Switching Protocols").writeHeader("x-request-id", exchange.requestId);
      });
      // Behind the cork: where the upgraded socket keeps its address, uWS' uncork takes its data for that of an answer,
      // and may close it at once (docs/ground.md, uWebSockets.js).
      response.upgrade<SocketData>({ admitted, release }, key, admitted.protocol, extensions, context);
      exchange.markAnswered();
    };
    try {
      connections.assertRoom();
      const isLater = authenticatesLater && !exchange.hasCredentials;
      if (route.hasOwnCredentials !== true) {
        const asked = routes.authenticate(exchange, token);
        // Where access is open no tick passes: uWS warns of each upgrade that comes later than its request.
        if (exchange.knownCaller === undefined) {
          await asked.catch((error: unknown) => {
            if (!isLater) throw error;
          });
        }
      }
      const { knownCaller: caller } = exchange;
      const spare = takesPlace?.(exchange) === true ? 1 : 0;
      const isBounded = caller?.policy.limits.connections !== undefined;
      if (caller !== undefined && isBounded) release = await limiter.connect(caller, newRequestId(), spare);
      if (!exchange.isOpen) {
        release();
        return;
      }
      letIn(admit(exchange, offered));
    } catch (thrown) {
      release();
      release = () => {};
      const error = toGatewayError(thrown);
      observer.errorTold(error.code);
      // Beyond the bound on connections none is let in for the sake of a word.
      const isFull = error.code === "capacity.too_many_connections";
      if (refuseInBand === undefined || isFull || !exchange.isOpen) exchange.answerError(error);
      else letIn(refuseInBand(error, exchange));
    }
  }
}
