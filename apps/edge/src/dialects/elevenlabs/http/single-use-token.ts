import { randomBytes } from "node:crypto";
import { MAX_TOKEN_SECONDS } from "@tts-labs/core/access/browser-tokens";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { Access } from "../../../access/access.ts";
import type { HttpExchange } from "../../../http/exchange.ts";

/** Of those that ElevenLabs has: the others are for speech that is listened to, which an edge does not do. */
const TTS_WEBSOCKET = "tts_websocket";
/** Place of the type in the path, `/v1/single-use-token/{token_type}`. */
const TYPE_SEGMENT = 3;

/** `POST /v1/single-use-token/{token_type}`: for a page that opens one socket. Answers in every case. */
export async function makeSingleUseToken(
  exchange: HttpExchange,
  { access }: { readonly access: Pick<Access, "mint" | "isOpen"> },
): Promise<void> {
  try {
    const caller = await exchange.authenticated;
    const type = exchange.path.split("/")[TYPE_SEGMENT] ?? "";
    if (type !== TTS_WEBSOCKET) {
      throw new GatewayError(
        "protocol.invalid_message",
        `Not valid: the only type of token is ${TTS_WEBSOCKET}.`,
        {
          facts: { field: "token_type", in: "path" },
        },
      );
    }
    // An open edge takes any, so that an application works there as it is.
    const token = access.isOpen
      ? randomBytes(32).toString("base64url")
      : await access.mint(caller, { purpose: "stream" }, MAX_TOKEN_SECONDS * 1_000);
    exchange.answerJson(
      200,
      { token },
      { "request-id": exchange.requestId, "x-trace-id": exchange.requestId },
    );
  } catch (thrown) {
    exchange.answerError(toGatewayError(thrown));
  }
}
