import type { ErrorForm, HttpExchange } from "../http/exchange.ts";
import type { Routes } from "../http/routes.ts";
import { type ElevenLabsServices, listElevenLabsModels } from "./elevenlabs/routes.ts";
import { elevenLabsErrors } from "./elevenlabs/wire/errors.ts";
import { openAiErrors } from "./openai/errors.ts";
import { answerModels } from "./openai/models.ts";

/** Clients of both read their own part of it. */
const eitherErrors: ErrorForm = (error, requestId) => {
  const elevenLabs = elevenLabsErrors(error, requestId);
  const openAi = openAiErrors(error, requestId);
  return {
    status: elevenLabs.status,
    headers: { ...openAi.headers, ...elevenLabs.headers },
    body: { ...openAi.body, ...elevenLabs.body },
  };
};

/** ElevenLabs' clients show their key in a header that no other client sends. */
const isForElevenLabs = ({ xiApiKey }: HttpExchange): boolean => xiApiKey !== "";

/** `GET /v1/models`, which two dialects have: the header that shows the key tells them apart. */
export function routeModels(routes: Routes, elevenLabs: ElevenLabsServices, ownModel: string): void {
  const list = (exchange: HttpExchange) => {
    if (isForElevenLabs(exchange)) listElevenLabsModels(exchange, elevenLabs);
    else answerModels(exchange, ownModel);
  };
  routes.add("/v1/models", { GET: list }, eitherErrors);
}
