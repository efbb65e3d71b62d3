import { SESSION_ID_PATTERN } from "@tts-labs/core/ids";
import { validate } from "@tts-labs/protocol/client-message";
import { GatewayError } from "@tts-labs/protocol/errors";
import { parseQuery } from "@tts-labs/protocol/query";
import { z } from "zod";
import type { ListenFrom } from "../../listen/listener.ts";

/** The query of `WS /api/v1/listen`. Names it does not know are ignored. */
export const listenQuerySchema = z.object({
  session_id: z
    .string()
    .regex(SESSION_ID_PATTERN, "must be 1 to 128 printable characters")
    .describe("The session that is to be heard."),
  token: z
    .string()
    .min(16)
    .max(128)
    .optional()
    .describe(
      "A listener's token of the session: `share` or `POST /api/v1/sessions/{id}/listeners` gives one.",
    ),
  from: z
    .string()
    .regex(/^(?:live|start|[0-9]{1,9}:[0-9]{1,10})$/, "must be live, start, or utterance:sample")
    .default("live")
    .describe(
      "live: from what is being heard now; start: from the beginning of the utterance that is being heard; " +
        "`utterance:sample`: go on there, as a listener does that lost its connection.",
    ),
});

export interface ListenQuery {
  readonly sessionId: string;
  readonly token: string;
  readonly from: ListenFrom;
}

/** @throws GatewayError `protocol.invalid_message`, `authentication.missing` */
export function parseListenQuery(query: string): ListenQuery {
  const { session_id: sessionId, token, from } = validate(listenQuerySchema, parseQuery(query), "the query");
  if (token === undefined) {
    throw new GatewayError("authentication.missing", "Show a listener's token with the parameter token.");
  }
  return { sessionId, token, from: toFrom(from) };
}

function toFrom(from: string): ListenFrom {
  if (from === "live" || from === "start") return { kind: from };
  const [utterance = 0, sample = 0] = from.split(":").map(Number);
  return { kind: "position", utterance, sample };
}
