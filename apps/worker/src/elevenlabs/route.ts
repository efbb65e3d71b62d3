import { createHash } from "node:crypto";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";

/**
 * Everything fixed when a provider socket is opened. Two utterances may share warm sockets only if their routes are
 * equal.
 */
export interface Route extends SpeechOptions, RouteOrigin {}

export interface RouteOrigin {
  /** The provider's address: `https://api.elevenlabs.io`, or `http://…` for a simulator. */
  readonly url: string;
  /** Names the key without telling it, see `toKeyId`. */
  readonly keyId: string;
  /** After how long without text the provider closes the socket; 1 to 180 s (docs/elevenlabs.md 1.1). */
  readonly inactivityTimeoutS: number;
}

export const toRoute = (speech: SpeechOptions, origin: RouteOrigin): Route => ({ ...speech, ...origin });

/** 48 bits of the key's hash: enough to tell keys apart, useless for finding them. */
export function toKeyId(apiKey: string | undefined): string {
  return apiKey === undefined ? "none" : createHash("sha256").update(apiKey).digest("base64url").slice(0, 8);
}

/** The same for equal routes in every process and version: a hash over the fields in fixed order. */
export function routeKey(route: Route): string {
  const settings = route.voiceSettings;
  const fields = [
    route.url,
    route.keyId,
    route.voice,
    route.model,
    route.language,
    settings?.stability,
    settings?.similarity_boost,
    settings?.style,
    settings?.use_speaker_boost,
    settings?.speed,
    route.chunkLengthSchedule,
    route.autoMode,
    route.seed,
    route.textNormalization,
    route.languageTextNormalization,
    route.dictionaries?.map((one) => [one.pronunciation_dictionary_id, one.version_id ?? null]),
    route.ssml,
    route.logging,
    route.sampleRateHz,
    route.inactivityTimeoutS,
  ];
  const canonical = JSON.stringify(fields.map((field) => field ?? null));
  return createHash("sha256").update(canonical).digest("base64url").slice(0, 22);
}

/**
 * The address of a `stream-input` socket. It holds no secret: the key goes into a header. Timings are asked
 * for with every message (`sync_alignment`), so that what has arrived can be told at any moment.
 */
export function connectUrl(route: Route): URL {
  const url = new URL(route.url);
  url.protocol = url.protocol === "http:" || url.protocol === "ws:" ? "ws:" : "wss:";
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/v1/text-to-speech/${encodeURIComponent(route.voice)}/stream-input`;
  url.search = "";
  const query = url.searchParams;
  query.set("model_id", route.model);
  query.set("output_format", `pcm_${route.sampleRateHz}`);
  query.set("inactivity_timeout", String(route.inactivityTimeoutS));
  query.set("sync_alignment", "true");
  if (route.autoMode) query.set("auto_mode", "true");
  if (route.language !== undefined) query.set("language_code", route.language);
  if (route.seed !== undefined) query.set("seed", String(route.seed));
  if (route.textNormalization !== undefined) query.set("apply_text_normalization", route.textNormalization);
  const { languageTextNormalization } = route;
  if (languageTextNormalization !== undefined) {
    query.set("apply_language_text_normalization", String(languageTextNormalization));
  }
  if (route.ssml === true) query.set("enable_ssml_parsing", "true");
  if (route.logging === false) query.set("enable_logging", "false");
  return url;
}

/**
 * The first message of a socket, sent once: a single space and the settings, which may never be repeated differently.
 */
export function openingMessage(route: Route): string {
  return JSON.stringify({
    text: " ",
    ...(route.voiceSettings === undefined ? {} : { voice_settings: route.voiceSettings }),
    ...(route.chunkLengthSchedule === undefined || route.autoMode
      ? {}
      : { generation_config: { chunk_length_schedule: route.chunkLengthSchedule } }),
    ...(route.dictionaries === undefined ? {} : { pronunciation_dictionary_locators: route.dictionaries }),
  });
}
