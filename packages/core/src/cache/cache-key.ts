import { createHash } from "node:crypto";
import type { SpeechOptions, VoiceSettings } from "@tts-labs/protocol/speech-options";

/** Changes when anything of ours changes what a provider is told, so that old entries are never met again. */
const KEY_VERSION = 2;

/** A piece of speech by all that can be heard in it. */
export interface AudibleRequest {
  /** The provider of these voices, see `toProviderIdentity`. */
  readonly provider: string;
  /** Complete. */
  readonly text: string;
  readonly speech: SpeechOptions;
  /** Those who may hear it again: a tenant's name; absent: everybody. */
  readonly scope?: string;
}

/** What may stand in a key: no `NaN`, no nested objects, no `undefined`. */
type Canonical = string | number | boolean | null | readonly Canonical[];

/** One line per option, so that an option can't be added without saying how it is heard. */
type Hearing<T> = { readonly [K in keyof Required<T>]: (options: T) => Canonical };

/**
 * An option left open is `null`, and not in the key: which default the provider takes is not ours to guess, and an
 * option that is added (dictionaries, a lexicon) leaves the keys of all who don't use it as they are.
 */
const VOICE_SETTINGS: Hearing<VoiceSettings> = {
  stability: (it) => it.stability ?? null,
  similarity_boost: (it) => it.similarity_boost ?? null,
  style: (it) => it.style ?? null,
  use_speaker_boost: (it) => it.use_speaker_boost ?? null,
  speed: (it) => it.speed ?? null,
};

const SPEECH: Hearing<SpeechOptions> = {
  voice: (it) => it.voice,
  model: (it) => it.model,
  language: (it) => it.language ?? null,
  voiceSettings: (it) => heard(VOICE_SETTINGS, it.voiceSettings ?? {}),
  // Both decide where one generation ends and the next begins, which the melody tells.
  chunkLengthSchedule: (it) => it.chunkLengthSchedule ?? null,
  autoMode: (it) => it.autoMode,
  seed: (it) => it.seed ?? null,
  textNormalization: (it) => it.textNormalization ?? null,
  languageTextNormalization: (it) => it.languageTextNormalization ?? null,
  dictionaries: (it) =>
    it.dictionaries?.map((one) => [one.pronunciation_dictionary_id, one.version_id ?? null]) ?? null,
  ssml: (it) => it.ssml ?? null,
  // It makes no sound; such speech is never looked up.
  logging: () => null,
  // Text is looked up only when it is complete at once, and then its first sentence is spoken as one in any case.
  natural: () => null,
  sampleRateHz: (it) => it.sampleRateHz,
};

/**
 * SHA-256 over everything audible and the tenant, in base64url. Equal keys sound the same; in which session, in which
 * frames and how fast it is delivered is no part of it.
 */
export function toCacheKey({ provider, text, speech, scope = "" }: AudibleRequest): string {
  const audible = [KEY_VERSION, provider, normalizeText(text), heard(SPEECH, speech)];
  const canonical = JSON.stringify(scope === "" ? audible : [...audible, scope]);
  return createHash("sha256").update(canonical).digest("base64url");
}

/**
 * The text as far as it is heard: Unicode NFC, runs of spaces and tabs as one space, none at the ends of lines or
 * of the text. Line breaks inside stay, up to two in a row, since voices pause there (`ShortenedSpace`: a provider is
 * told no more of them); so do case and punctuation.
 */
export function normalizeText(text: string): string {
  const lines = text
    .normalize("NFC")
    .replace(/\r\n?/g, "\n")
    .replace(/[ \t]+/g, " ")
    .replace(/ ?\n ?/g, "\n")
    .replace(/\n{3,}/g, "\n\n");
  let start = 0;
  let end = lines.length;
  // No regular expression does this: one that looks for the end of a run of line breaks from each of them is quadratic.
  while (start < end && isBlank(lines, start)) start++;
  while (end > start && isBlank(lines, end - 1)) end--;
  return lines.slice(start, end);
}

const isBlank = (text: string, at: number): boolean => text[at] === " " || text[at] === "\n";

/** A provider by its address: the same voice id may be another voice elsewhere. */
export const toProviderIdentity = (url: string): string => new URL(url).host;

function heard<T>(hearing: Hearing<T>, options: T): readonly Canonical[] {
  const names = (Object.keys(hearing) as (keyof T)[]).sort();
  const values = names.map((name) => [String(name), hearing[name](options)] as const);
  return values.filter(([, value]) => value !== null);
}
