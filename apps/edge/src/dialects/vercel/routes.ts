import { MAX_CLIENT_MESSAGE_BYTES } from "@tts-labs/protocol/limits";
import { parseQuery } from "@tts-labs/protocol/query";
import { ClientSocket } from "../../http/client-socket.ts";
import type { Routes } from "../../http/routes.ts";
import type { SocketRoute, Sockets } from "../../http/sockets.ts";
import { CLIENT_SECRETS_PATH, type ClientSecretServices, mintClientSecret } from "./client-secrets.ts";
import { refuseInBand, VercelConnection, type VercelServices } from "./connection.ts";
import { vercelErrors } from "./errors.ts";
import { speakAsVercel } from "./file.ts";

/** Where their client looks by itself, behind the host of its base URL. */
const PATH = "/v4/ai/speech-model";
/** The subprotocol that must be answered exactly; what else is offered beside it may hold a key. */
const SUBPROTOCOL = "ai-gateway-speech.v1";
/** Longer frames are told so; beyond this uWebSockets.js cuts the connection. */
const MAX_PAYLOAD_BYTES = 4 * MAX_CLIENT_MESSAGE_BYTES;

interface RouteServices extends VercelServices {
  readonly access: ClientSecretServices["access"];
}

/** The socket, and the whole clip over HTTP, of Vercel's AI SDK. */
export function routeVercel(routes: Routes, sockets: Sockets, services: RouteServices): void {
  sockets.add(toSocketRoute(services));
  const minting = { access: services.access, bodies: services.budget.requestBodies };
  routes.addForKeys(
    CLIENT_SECRETS_PATH,
    { POST: (exchange) => void mintClientSecret(exchange, minting) },
    vercelErrors,
  );
}

const toSocketRoute = (services: VercelServices): SocketRoute => ({
  path: PATH,
  maxPayloadBytes: MAX_PAYLOAD_BYTES,
  errorForm: vercelErrors,
  post: (exchange) => void speakAsVercel(exchange, services),
  refuseInBand: (error) => ({
    protocol: SUBPROTOCOL,
    open: (socket, limits) => {
      const client = new ClientSocket(socket, limits);
      refuseInBand(client, error);
      return { client };
    },
  }),
  admit: ({ query, requestId, caller }) => {
    const modelId = parseQuery(query)["ai-model-id"] ?? "";
    // Ready by the time it is asked for: a frame comes a round trip later.
    void services.voices.ready();
    return {
      protocol: SUBPROTOCOL,
      open: (socket, limits) => {
        const client = new ClientSocket(socket, limits);
        return { client, handler: new VercelConnection({ client, modelId, requestId, caller, services }) };
      },
    };
  },
});
