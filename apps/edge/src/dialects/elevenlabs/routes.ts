import type { GatewayError } from "@tts-labs/protocol/errors";
import { MAX_CLIENT_MESSAGE_BYTES } from "@tts-labs/protocol/limits";
import { ClientSocket } from "../../http/client-socket.ts";
import type { HttpExchange } from "../../http/exchange.ts";
import type { Routes } from "../../http/routes.ts";
import type { AdmittedSocket, SocketRoute, Sockets } from "../../http/sockets.ts";
import { type AccountServices, accountRoutes, listModels, runAccount } from "./http/account.ts";
import { makeSingleUseToken } from "./http/single-use-token.ts";
import { SPEECH_FORMS, speakAsElevenLabs } from "./http/speech.ts";
import { type ConnectionOptions, ElevenLabsConnection, type SocketServices } from "./sockets/connection.ts";
import { MultiStreamInput } from "./sockets/multi-stream-input.ts";
import { StreamInput } from "./sockets/stream-input.ts";
import { elevenLabsErrors } from "./wire/errors.ts";

export interface ElevenLabsServices {
  readonly speech: SocketServices;
  readonly account: AccountServices;
}

/** Every HTTP route of ElevenLabs' that is answered here. Their clients find it by their base URL. */
export function routeElevenLabs(routes: Routes, { speech, account }: ElevenLabsServices): void {
  for (const form of SPEECH_FORMS) {
    const path = `/v1/text-to-speech/:voice${form === "" ? "" : `/${form}`}`;
    routes.add(
      path,
      { POST: (exchange) => void speakAsElevenLabs(exchange, form, speech) },
      elevenLabsErrors,
    );
  }
  const makeToken = (exchange: HttpExchange) => void makeSingleUseToken(exchange, speech);
  routes.addForKeys("/v1/single-use-token/:type", { POST: makeToken }, elevenLabsErrors);
  for (const [path, answer] of Object.entries(accountRoutes)) {
    routes.add(path, { GET: (exchange) => runAccount(answer, exchange, account) }, elevenLabsErrors);
  }
}

/** `GET /v1/models`, whose path is OpenAI's, too. */
export const listElevenLabsModels = (exchange: HttpExchange, { account }: ElevenLabsServices): void =>
  runAccount(listModels, exchange, account);

/** Longer messages are told so; beyond this uWebSockets.js cuts the connection. */
const MAX_PAYLOAD_BYTES = 4 * MAX_CLIENT_MESSAGE_BYTES;

/** Both sockets of ElevenLabs'. */
export function socketsOfElevenLabs(sockets: Sockets, { speech }: ElevenLabsServices): void {
  sockets.add(toSocketRoute("stream-input", speech, (roles) => new StreamInput(roles)));
  sockets.add(toSocketRoute("multi-stream-input", speech, (roles) => new MultiStreamInput(roles)));
}

const toSocketRoute = (
  name: string,
  services: SocketServices,
  open: ConnectionOptions["open"],
): SocketRoute => ({
  path: `/v1/text-to-speech/:voice/${name}`,
  maxPayloadBytes: MAX_PAYLOAD_BYTES,
  errorForm: elevenLabsErrors,
  authenticatesLater: true,
  admit: (exchange) => letIn(exchange, undefined, services, open),
  refuseInBand: (refusal, exchange) => letIn(exchange, refusal, services, open),
});

const letIn = (
  { path, query, requestId, knownCaller, origin }: HttpExchange,
  refusal: GatewayError | undefined,
  services: SocketServices,
  open: ConnectionOptions["open"],
): AdmittedSocket => ({
  protocol: "",
  open: (socket, limits) => {
    const client = new ClientSocket(socket, limits);
    const asking = { caller: knownCaller, refusal, origin };
    return {
      client,
      handler: new ElevenLabsConnection({ client, path, query, requestId, asking, services, open }),
    };
  },
});
