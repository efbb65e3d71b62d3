import { MAX_TOKEN_SECONDS } from "@tts-labs/core/access/browser-tokens";
import type { ByteBudget } from "@tts-labs/core/async/byte-budget";
import { validate } from "@tts-labs/protocol/client-message";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import { parseJsonObject } from "@tts-labs/protocol/json-object";
import { z } from "zod";
import type { Access } from "../../access/access.ts";
import type { HttpExchange } from "../../http/exchange.ts";

export const CLIENT_SECRETS_PATH = "/v1/realtime/client-secrets";
const MAX_BODY_BYTES = 4_096;
const DEFAULT_SECONDS = 60;
/** An edge whose access is open takes any. */
const OPEN_TOKEN = "open";

/** The body of `POST /v1/realtime/client-secrets`. Fields that are not known are ignored. */
export const clientSecretBodySchema = z.object({
  model: z.string().max(100).optional().describe("Not bound to the token: it is good for any model."),
  routeKind: z.string().max(40).optional().describe("speech; there is nothing else here."),
  expiresIn: z
    .int()
    .min(1)
    .optional()
    .describe(`Seconds, at most ${MAX_TOKEN_SECONDS}; 60 where it is missing.`),
});

export interface ClientSecretServices {
  readonly access: Pick<Access, "mint" | "isOpen">;
  readonly bodies: ByteBudget;
}

/** `POST /v1/realtime/client-secrets`: a token for one socket, for a page to have. Answers in every case. */
export async function mintClientSecret(
  exchange: HttpExchange,
  { access, bodies }: ClientSecretServices,
): Promise<void> {
  try {
    const bytes = await exchange.readBody(MAX_BODY_BYTES, bodies);
    const caller = await exchange.authenticated;
    const body = parseJsonObject(bytes, { what: "The body", example: `{"routeKind":"speech"}` });
    const { routeKind = "speech", expiresIn } = validate(clientSecretBodySchema, body, "the body");
    if (routeKind !== "speech") throw onlySpeech(routeKind);
    const seconds = Math.min(expiresIn ?? DEFAULT_SECONDS, MAX_TOKEN_SECONDS);
    const token = access.isOpen
      ? OPEN_TOKEN
      : await access.mint(caller, { purpose: "stream" }, seconds * 1_000);
    exchange.answerJson(200, { token, expiresAt: Math.floor(Date.now() / 1_000) + seconds });
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (error.family !== "cancelled") exchange.answerError(error);
  }
}

const onlySpeech = (kind: string) =>
  new GatewayError(
    "protocol.invalid_message",
    `routeKind must be "speech", not ${JSON.stringify(kind)}: nothing else is spoken here.`,
    { facts: { field: "routeKind" } },
  );
