import { MAX_TOKEN_SECONDS, TOKEN_PURPOSES } from "@tts-labs/core/access/browser-tokens";
import type { ByteBudget } from "@tts-labs/core/async/byte-budget";
import { isOrigin } from "@tts-labs/core/http/door";
import { validate } from "@tts-labs/protocol/client-message";
import { toGatewayError } from "@tts-labs/protocol/errors";
import { parseJsonObject } from "@tts-labs/protocol/json-object";
import { z } from "zod";
import type { Access } from "../access/access.ts";
import type { HttpExchange } from "./exchange.ts";

export const TOKENS_PATH = "/api/v1/tokens";
const MAX_BODY_BYTES = 4_096;
const DEFAULT_SECONDS = 60;

/** The body of `POST /api/v1/tokens`. */
export const tokenBodySchema = z.strictObject({
  purpose: z
    .enum(TOKEN_PURPOSES)
    .default("stream")
    .describe(
      "stream: one WebSocket, a resuming one included; listen: one listener; synthesize: one HTTP request.",
    ),
  origin: z
    .string()
    .max(300)
    .refine(isOrigin, "must be an origin such as https://app.example.com")
    .transform((origin) => origin.toLowerCase())
    .optional()
    .describe("The only page that may use the token, by the `Origin` that its browser sends."),
  expires_in_s: z
    .int()
    .min(1)
    .max(MAX_TOKEN_SECONDS)
    .default(DEFAULT_SECONDS)
    .describe("Seconds until the token can't be used any more."),
});

export interface MintServices {
  readonly access: Pick<Access, "mint">;
  readonly bodies: ByteBudget;
}

/** `POST /api/v1/tokens`: a key's holder gets a token to hand to a page. Answers in every case. */
export async function mintToken(exchange: HttpExchange, { access, bodies }: MintServices): Promise<void> {
  try {
    const bytes = await exchange.readBody(MAX_BODY_BYTES, bodies);
    const caller = await exchange.authenticated;
    const body = parseJsonObject(bytes, { what: "The body", example: `{"purpose":"stream"}` });
    const { purpose, origin, expires_in_s: seconds } = validate(tokenBodySchema, body, "the body");
    const wish = origin === undefined ? { purpose } : { purpose, origin };
    const token = await access.mint(caller, wish, seconds * 1_000);
    exchange.answerJson(201, { token, purpose, origin: origin ?? null, expires_in_s: seconds });
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (error.family !== "cancelled") exchange.answerError(error);
  }
}
