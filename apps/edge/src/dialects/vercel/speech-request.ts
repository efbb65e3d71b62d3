import { GatewayError } from "@tts-labs/protocol/errors";
import {
  type RequestedOptions,
  speechOptionsShape,
  voiceSettingsSchema,
} from "@tts-labs/protocol/speech-options";
import { findOutputFormat, type OutputFormat } from "../../delivery/encoders/output-format.ts";
import { toModel } from "../model-names.ts";
import { nearestSpeed } from "../speaking-speed.ts";
import type { VoiceNames } from "../voice-names.ts";
import type { ProviderOptions, WantedFormat } from "./client-frame.ts";

/** A wish that is not, or not quite, fulfilled; the client shows it to its developer. */
export interface Warning {
  readonly type: "unsupported" | "compatibility";
  readonly feature: string;
  readonly details: string;
}

/** What may be wished for a speech, on the socket and over HTTP. */
export interface Wishes {
  readonly voice?: string | undefined;
  readonly instructions?: string | undefined;
  readonly speed?: number | undefined;
  readonly language?: string | undefined;
  readonly providerOptions?: ProviderOptions | undefined;
}

export interface UnderstoodWishes {
  readonly requested: RequestedOptions;
  readonly warnings: readonly Warning[];
}

/** Options that are ours, under `tts`; ElevenLabs' own name is taken, too. */
const OWN_OPTIONS = ["tts", "elevenlabs"];

/** @throws GatewayError `provider.unsupported_model`, `provider.voice_not_found`, `protocol.invalid_message` */
export function understand(
  wishes: Wishes,
  modelId: string,
  { voices, ownModel }: { readonly voices: VoiceNames; readonly ownModel: string },
): UnderstoodWishes {
  const warnings: Warning[] = [];
  const { instructions, speed, language } = wishes;
  if (instructions !== undefined) {
    warnings.push({ type: "unsupported", feature: "instructions", details: "The provider follows none." });
  }
  const spoken = speed === undefined ? undefined : nearestSpeed(speed);
  if (spoken !== speed) {
    warnings.push({ type: "compatibility", feature: "speed", details: `The nearest is spoken: ${spoken}.` });
  }
  const code = language?.split("-")[0]?.toLowerCase();
  const isLanguage = code === undefined || speechOptionsShape.language.safeParse(code).success;
  if (!isLanguage) {
    warnings.push({
      type: "unsupported",
      feature: "language",
      details: "A code such as de names one.",
    });
  }
  const settings = {
    ...toVoiceSettings(wishes.providerOptions),
    ...(spoken === undefined ? {} : { speed: spoken }),
  };
  return {
    warnings,
    requested: {
      voice: wishes.voice === undefined ? undefined : toVoice(wishes.voice, voices),
      model: modelId === "" ? undefined : toModel(modelId, ownModel),
      language: isLanguage ? code : undefined,
      voice_settings: Object.keys(settings).length === 0 ? undefined : settings,
    },
  };
}

/** `providerOptions.tts.voiceSettings`, in the provider's own names. @throws GatewayError `protocol.invalid_message` */
function toVoiceSettings(options: ProviderOptions | undefined): RequestedOptions["voice_settings"] {
  const own = OWN_OPTIONS.map((name) => options?.[name]).find((it) => it !== undefined);
  const given = own?.["voice_settings"] ?? own?.["voiceSettings"];
  if (given === undefined) return undefined;
  const result = voiceSettingsSchema.safeParse(given);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new GatewayError(
    "protocol.invalid_message",
    `Not valid, voice_settings in providerOptions: ${issue?.path.join(".")} ${issue?.message}.`,
    { facts: { field: "providerOptions" } },
  );
}

/** True where a part of the text asks to be spoken at once: the protocol itself has no word for it. */
export const asksForFlush = (options: ProviderOptions | undefined): boolean =>
  options?.["tts"]?.["flush"] === true;

/** @throws GatewayError `provider.voice_not_found` for what can be no voice */
function toVoice(name: string, voices: VoiceNames): string | undefined {
  const id = voices.toId(name);
  if (id === undefined || speechOptionsShape.voice.safeParse(id).success) return id;
  throw new GatewayError(
    "provider.voice_not_found",
    `There is no voice ${JSON.stringify(name.slice(0, 64))}.`,
  );
}

const CODECS: Readonly<Record<string, string>> = {
  "audio/pcm": "pcm",
  "audio/l16": "pcm",
  "audio/wav": "wav",
  "audio/mpeg": "mp3",
  "audio/mp3": "mp3",
  "audio/pcmu": "mulaw",
  "audio/basic": "mulaw",
  "audio/pcma": "alaw",
  "audio/ogg": "opus",
  "audio/opus": "opus",
  "audio/flac": "flac",
};

/** How the format is named on every piece of audio. */
export interface ToldFormat {
  readonly type: string;
  readonly rate?: number;
}

/** What an app that wishes for no format gets. */
const DEFAULT_TYPE = "audio/pcm";
const DEFAULT_PCM = "pcm_24000";

/** @throws GatewayError `protocol.not_acceptable` with what there is */
export function toSocketFormat(
  wanted: WantedFormat | undefined,
  providerHz: number,
): { readonly format: OutputFormat; readonly told: ToldFormat } {
  const type = (wanted?.type ?? DEFAULT_TYPE).toLowerCase();
  const codec = Object.hasOwn(CODECS, type) ? CODECS[type] : undefined;
  const name = codec === undefined ? type : atRate(codec, wanted?.rate);
  const format = findOutputFormat(name, providerHz);
  if (format === undefined)
    throw noFormat(`${type}${wanted?.rate === undefined ? "" : ` at ${wanted.rate} Hz`}`);
  return {
    format,
    told: { type: codec === undefined ? format.contentType : type, rate: format.sampleRateHz },
  };
}

/** Of the HTTP form, where it is a word. @throws GatewayError `protocol.not_acceptable` */
export function toFileFormat(wanted: string | undefined, providerHz: number): OutputFormat {
  const name = wanted?.toLowerCase() ?? "mp3";
  const codec = Object.hasOwn(CODECS, name) ? CODECS[name] : name;
  const format = findOutputFormat(atRate(codec ?? name, undefined), providerHz);
  if (format === undefined) throw noFormat(name);
  return format;
}

function atRate(codec: string, rate: number | undefined): string {
  if (codec === "pcm") return rate === undefined ? DEFAULT_PCM : `pcm_${rate}`;
  return codec === "wav" && rate !== undefined ? `wav_${rate}` : codec;
}

const noFormat = (name: string) =>
  new GatewayError(
    "protocol.not_acceptable",
    `There is no output format ${JSON.stringify(name.slice(0, 60))}; there are ${Object.keys(CODECS).join(", ")}, PCM at 8000, 16000, 22050, 24000, 32000, 44100 and 48000 Hz.`,
  );
