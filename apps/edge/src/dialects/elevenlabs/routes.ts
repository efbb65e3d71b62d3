import type { Routes } from "../../http/routes.ts";
import type { SpeechRequestServices } from "../one-utterance.ts";
import { type AccountServices, accountRoutes, listModels, runAccount } from "./account.ts";
import { elevenLabsErrors } from "./errors.ts";
import { type SpeechForm, speakAsElevenLabs } from "./speech.ts";

export interface ElevenLabsServices {
  readonly speech: SpeechRequestServices;
  readonly account: AccountServices;
}

const SPEECH_FORMS: readonly SpeechForm[] = ["", "stream", "with-timestamps", "stream/with-timestamps"];

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
  for (const [path, answer] of Object.entries(accountRoutes)) {
    routes.add(path, { GET: (exchange) => runAccount(answer, exchange, account) }, elevenLabsErrors);
  }
  routes.add(
    "/v1/models",
    { GET: (exchange) => runAccount(listModels, exchange, account) },
    elevenLabsErrors,
  );
}
