import { SpeechError } from "@tts-labs/client/speech-error";
import type { UtteranceEvents } from "@tts-labs/client/utterance";
import type { Voice } from "@tts-labs/client/voices";
import { ERROR_CATALOGUE } from "@tts-labs/protocol/errors";

/** An error as a person at a terminal can act on it, one thought per line. */
export function explain(
  error: unknown,
  { url, voices }: { readonly url: string; readonly voices: readonly Voice[] },
): string[] {
  if (!(error instanceof SpeechError)) {
    return [error instanceof Error ? error.message : String(error)];
  }
  if (error.code === "client.connect_failed" || error.code === "client.connect_timeout") {
    return [
      `No tts-labs server answers at ${url}.`,
      `Start it with "npm start" in another terminal, or name another one with --url.`,
    ];
  }
  if (error.code === "client.empty_text") {
    return ["There was no text to speak.", `Give it in quotes, or pipe it in and give "-" for the text.`];
  }
  const said = error.facts["providerReason"];
  const shown =
    typeof said === "string" && !error.message.includes(said) ? ` The provider says: ${said}` : "";
  const about = `${error.message} (${error.code})${shown}`;
  if (error.code === "provider.voice_not_found" || error.facts["field"] === "voice") {
    if (voices.length === 0) return [about, "The server lists no voices of its own."];
    return [about, "Voices of this server, for --voice:", ...voices.map(describeVoice)];
  }
  if (!error.retryable) return [about];
  const when = error.retryAfterMs === undefined ? "" : ` in ${Math.ceil(error.retryAfterMs / 1000)} s`;
  return [about, `It may work when tried again${when}.`];
}

/** The substitute for what was asked for, and the reason. */
export function explainSubstitute({
  voice,
  model,
  provider,
  reason,
}: UtteranceEvents["substituted"]): string {
  const of = provider === undefined ? model : `${model}, ${provider}`;
  return `${voice} (${of}) speaks instead: ${ERROR_CATALOGUE[reason].meaning} (${reason})`;
}

export const describeVoice = ({ id, name, language }: Voice): string =>
  `  ${id}  ${[name, language].filter((it) => it !== "").join(", ")}`;
