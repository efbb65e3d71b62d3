import type { ByteBudget } from "@tts-labs/core/async/byte-budget";
import type { BroadcastStore } from "@tts-labs/core/broadcast/broadcast";
import { SESSION_ID_PATTERN } from "@tts-labs/core/ids";
import type { SessionStore } from "@tts-labs/core/session/session-store";
import { validate } from "@tts-labs/protocol/client-message";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import { parseJsonObject } from "@tts-labs/protocol/json-object";
import { z } from "zod";
import { scopedId } from "../../access/caller.ts";
import type { HttpExchange } from "../../http/exchange.ts";
import { LISTEN_PATH } from "./listen-socket.ts";

export const LISTENERS_PATH = "/api/v1/sessions/:session_id/listeners";
const PATH = /^\/api\/v1\/sessions\/([^/]+)\/listeners$/;
const MAX_BODY_BYTES = 1_024;

export const mintTokenSchema = z.strictObject({
  resume_token: z.string().min(16).max(128).describe("The session's own, as `connected` gave it last."),
});

export interface MintServices {
  readonly sessions: SessionStore;
  readonly broadcasts: BroadcastStore;
  /** Of the bodies of all requests. */
  readonly bodies: ByteBudget;
  readonly errorTold: (error: GatewayError) => void;
}

/** `POST /api/v1/sessions/{session_id}/listeners`: a token for listeners, given to the session's owner. Never rejects. */
export async function mintListenerToken(exchange: HttpExchange, services: MintServices): Promise<void> {
  const { sessions, broadcasts, bodies } = services;
  try {
    const publicId = toSessionId(exchange.path);
    const bytes = await exchange.readBody(MAX_BODY_BYTES, bodies);
    const body = parseJsonObject(bytes, { what: "The body", example: `{"resume_token":"…"}` });
    const { resume_token: resumeToken } = validate(mintTokenSchema, body, "the body");
    // Another tenant's session is none that this caller could name.
    const sessionId = scopedId(await exchange.authenticated, publicId);
    const { birth, sampleRateHz, ring } = await sessions.prove(sessionId, resumeToken);
    const token = await broadcasts.allow({ sessionId, publicId, birth, sampleRateHz });
    ring();
    exchange.answerJson(201, { session_id: publicId, listener_token: token, path: LISTEN_PATH });
  } catch (thrown) {
    const error = toGatewayError(thrown);
    services.errorTold(error);
    exchange.answerError(error);
  }
}

function toSessionId(path: string): string {
  const [, encoded = ""] = PATH.exec(path) ?? [];
  try {
    const sessionId = decodeURIComponent(encoded);
    if (SESSION_ID_PATTERN.test(sessionId)) return sessionId;
  } catch {
    // The address holds no UTF-8.
  }
  throw new GatewayError(
    "session.unknown",
    "The path names no session: its id is 1 to 128 printable characters.",
  );
}
