import type { Routes } from "../../http/routes.ts";
import { openAiErrors } from "./errors.ts";
import { answerModel } from "./models.ts";
import { type OpenAiServices, speakAsOpenAi } from "./speech.ts";

/** OpenAI's routes for speech. Their clients find them by their base URL, which ends in `/v1`. */
export function routeOpenAi(routes: Routes, services: OpenAiServices): void {
  const { defaults } = services.settings;
  routes.add(
    "/v1/audio/speech",
    { POST: (exchange) => void speakAsOpenAi(exchange, services) },
    openAiErrors,
  );
  routes.add("/v1/models/:model", { GET: (exchange) => answerModel(exchange, defaults.model) }, openAiErrors);
}
