import { GatewayError } from "@tts-labs/protocol/errors";
import type { HttpExchange } from "../../http/exchange.ts";
import { HABITUAL_MODELS } from "../model-names.ts";

/** Seconds since 1970 that stand for "always": the edge keeps no such time. */
const CREATED = 1_700_000_000;

const toModelJson = (id: string, owner: string): object => ({
  id,
  object: "model",
  created: CREATED,
  owned_by: owner,
});

const modelsOf = (own: string): readonly object[] => [
  ...HABITUAL_MODELS.map((id) => toModelJson(id, "openai")),
  toModelJson(own, "elevenlabs"),
];

/** `GET /v1/models` for a client that shows no ElevenLabs key. */
export const answerModels = (exchange: HttpExchange, own: string): void =>
  exchange.answerJson(200, { object: "list", data: modelsOf(own) });

/** `GET /v1/models/{id}` */
export function answerModel(exchange: HttpExchange, own: string): void {
  const id = lastSegmentOf(exchange.path);
  const isHabitual = HABITUAL_MODELS.includes(id);
  if (isHabitual || id === own) {
    exchange.answerJson(200, toModelJson(id, isHabitual ? "openai" : "elevenlabs"));
    return;
  }
  exchange.answerError(
    new GatewayError("provider.unsupported_model", `There is no model ${JSON.stringify(id.slice(0, 60))}.`, {
      facts: { field: "model" },
    }),
  );
}

function lastSegmentOf(path: string): string {
  const segment = path.slice(path.lastIndexOf("/") + 1);
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
