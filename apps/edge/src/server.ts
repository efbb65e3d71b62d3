import "./http/head-limit.ts";
import { Door } from "@tts-labs/core/http/door";
import { toGatewayError } from "@tts-labs/protocol/errors";
import { MAX_CLIENT_MESSAGE_BYTES, NATIVE_SUBPROTOCOL } from "@tts-labs/protocol/limits";
import type { Access } from "./access/access.ts";
import { scopedId } from "./access/caller.ts";
import type { RequestGate } from "./budget/request-gate.ts";
import { routeElevenLabs, socketsOfElevenLabs } from "./dialects/elevenlabs/routes.ts";
import { listenRoute, topicOf } from "./dialects/listen/listen-socket.ts";
import { LISTENERS_PATH, mintListenerToken } from "./dialects/listen/mint-token.ts";
import type { Listening } from "./dialects/listen/open-listening.ts";
import { routeModels } from "./dialects/models-route.ts";
import { NativeConnection } from "./dialects/native/native.ts";
import type { NativeConnectionOptions } from "./dialects/native/native-options.ts";
import { parseNativeQuery } from "./dialects/native/query.ts";
import { SharingSink } from "./dialects/native/sharing-sink.ts";
import { SocketSink } from "./dialects/native/socket-sink.ts";
import type { SpeechRequestServices } from "./dialects/one-utterance.ts";
import { routeOpenAi } from "./dialects/openai/routes.ts";
import { synthesize } from "./dialects/synthesize/synthesize.ts";
import { routeVercel } from "./dialects/vercel/routes.ts";
import { VoiceNames } from "./dialects/voice-names.ts";
import type { UnreadSockets } from "./http/client-socket.ts";
import { type Listener, listenOn, openApp, type TlsFiles } from "./http/listen.ts";
import { mintToken, TOKENS_PATH } from "./http/mint-token.ts";
import { addProbes, clientRoutes, type OpsServices, runOps } from "./http/ops-routes.ts";
import type { PageRoutes } from "./http/page-routes.ts";
import { Routes } from "./http/routes.ts";
import { type SocketRoute, Sockets } from "./http/sockets.ts";

/** Messages up to this are read, so that one too long can be told so; beyond it uWS cuts the connection. */
const MAX_PAYLOAD_BYTES = 4 * MAX_CLIENT_MESSAGE_BYTES;

type NativeOptions = Omit<
  NativeConnectionOptions,
  "query" | "requestId" | "caller" | "origin" | "sink" | "broadcast"
>;

export interface ServerOptions extends TlsFiles {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly socketHighWaterBytes: number;
  readonly socketIdleTimeoutS: number;
  readonly unreadSockets: UnreadSockets;
  readonly gate: RequestGate;
  readonly access: Access;
  readonly native: Omit<NativeOptions, "access" | "limiter">;
  readonly listen: Listening;
  /** For every dialect that speaks over HTTP. */
  readonly speech: SpeechRequestServices;
  readonly ops: OpsServices;
  readonly page: PageRoutes;
}

/**
 * The edge's port. The rules of uWebSockets.js that bite (docs/ground.md, uWebSockets.js) are kept here, in
 * `http/` and in the sinks. @throws GatewayError `config.invalid` when the port is taken
 */
export async function listen(options: ServerOptions): Promise<Listener> {
  const app = openApp(options);
  const { host: boundTo, port, allowedHosts, allowedOrigins, gate, access } = options;
  const door = new Door({ boundTo, allowedHosts, allowedOrigins });
  const routes = new Routes(app, { door, gate, access, role: "client" });
  const sockets = new Sockets({
    app,
    routes,
    highWaterBytes: options.socketHighWaterBytes,
    idleTimeoutS: options.socketIdleTimeoutS,
    unread: options.unreadSockets,
    observer: options.native.observer,
    connections: gate.connections,
    limiter: options.speech.limiter,
  });
  sockets.add(nativeRoute({ ...options.native, access, limiter: options.speech.limiter }, options.listen));
  const minting = { access, bodies: options.speech.budget.requestBodies };
  routes.addForKeys(TOKENS_PATH, { POST: (exchange) => void mintToken(exchange, minting) });
  sockets.add(listenRoute(options.listen));
  options.listen.ears.publishThrough((tag, body, isBinary) => {
    app.publish(topicOf(tag), body, isBinary, false);
  });
  routes.add(LISTENERS_PATH, { POST: (exchange) => void mintListenerToken(exchange, options.listen) });
  routes.add("/api/v1/synthesize", { POST: (exchange) => void synthesize(exchange, options.speech) });
  const elevenLabs = {
    speech: { ...options.speech, intake: options.native.intake, access },
    account: options.ops,
  };
  socketsOfElevenLabs(sockets, elevenLabs);
  routeElevenLabs(routes, elevenLabs);
  const voices = new VoiceNames(options.ops.voices, options.speech.logger);
  routeOpenAi(routes, { ...options.speech, voices });
  routeVercel(routes, sockets, { ...elevenLabs.speech, voices, access });
  routeModels(routes, elevenLabs, options.speech.settings.defaults.model);
  for (const [path, handler] of Object.entries(clientRoutes)) {
    routes.add(path, { GET: (exchange) => runOps(handler, exchange, options.ops) });
  }
  addProbes(routes, options.ops);
  routePage(routes, options.page);
  routes.addRest();
  const scheme = options.tlsCertFile === undefined ? "http" : "https";
  return listenOn(app, { host: boundTo, port, variable: "PORT" }, scheme);
}

const RESUMES = /(?:^|&)resume=true(?:&|$)/;

/** `WS /api/v1/stream`. */
const nativeRoute = (native: NativeOptions, { openBroadcast }: Listening): SocketRoute => ({
  path: "/api/v1/stream",
  maxPayloadBytes: MAX_PAYLOAD_BYTES,
  authenticatesLater: true,
  takesPlace: ({ query }) => RESUMES.test(query),
  admit: ({ query: given, requestId, knownCaller: caller, origin }, offered) => {
    const query = parseNativeQuery(given);
    const isNamed = query.session_id !== undefined && caller !== undefined;
    const sessionId = isNamed ? scopedId(caller, query.session_id ?? "") : undefined;
    native.registry.admit(query.resume === "true" ? "resumed" : "new", sessionId);
    return {
      protocol: chooseSubprotocol(offered),
      open: (socket, limits) => {
        const sink = new SocketSink(socket, limits);
        try {
          const broadcast = openBroadcast();
          const shared = new SharingSink(sink, broadcast);
          const given = { query, requestId, caller, origin, sink: shared, broadcast };
          return { client: sink, handler: new NativeConnection({ ...native, ...given }) };
        } catch (error) {
          sink.refuse(toGatewayError(error));
          return { client: sink };
        }
      },
    };
  },
});

/**
 * The one protocol of those offered that we speak; "": none, and the answer names none. What a client offers is never
 * sent back otherwise: some put their keys there.
 */
const chooseSubprotocol = (offered: string): string =>
  offered.split(",").some((it) => it.trim() === NATIVE_SUBPROTOCOL) ? NATIVE_SUBPROTOCOL : "";

function routePage(routes: Routes, page: PageRoutes): void {
  for (const path of page.paths) {
    routes.addPublic(path, {
      GET: (exchange) => {
        const answer = page.answer(exchange.path, exchange.ifNoneMatch);
        if (answer === undefined) exchange.notFound();
        else exchange.answer(answer.status, answer.headers, answer.body);
      },
    });
  }
}
