import { GatewayError } from "@tts-labs/protocol/errors";
import {
  findOutputFormat,
  isPlain,
  OUTPUT_FORMATS,
  type OutputFormat,
} from "../../../delivery/encoders/output-format.ts";

/** `whole`: the answer is a file; only there WAV is a format. */
export type FormatPlace = "whole" | "stream" | "socket";

/** A format that was asked for, and the samples it is made of. */
export interface SpokenFormat {
  readonly format: OutputFormat;
  /** Asked of the provider. */
  readonly fromHz: number;
}

/** Of a request that names none. */
export const DEFAULT_FORMAT = "mp3_44100_128";

/** The documentation prints the default of the sockets so. */
const SHORT_DEFAULT = "mp3_44100";
/** Rates that the provider's sockets speak at by themselves (docs/elevenlabs.md 4.1). */
const PROVIDER_RATES_HZ: ReadonlySet<number> = new Set([8_000, 16_000, 22_050, 24_000, 44_100]);
const TELEPHONE_RATE_HZ = 8_000;

/**
 * What is only samples comes from the provider at that very rate, so that nothing of it is changed on the way; the rest
 * is encoded from samples at `ownHz`.
 * @throws GatewayError `protocol.not_acceptable` with the formats that there are
 */
export function parseOutputFormat(name: string, place: FormatPlace, ownHz: number): SpokenFormat {
  const full = name === SHORT_DEFAULT ? DEFAULT_FORMAT : name;
  const isFor = (it: string) => place === "whole" || !it.startsWith("wav_");
  const format = OUTPUT_FORMATS.includes(full) && isFor(full) ? findOutputFormat(full, ownHz) : undefined;
  if (format !== undefined) return { format, fromHz: toProviderRate(format, ownHz) };
  const names = OUTPUT_FORMATS.filter(isFor).join(", ");
  const message = `Output format '${name.slice(0, 40)}' is not valid. Valid formats are: ${names}.`;
  throw new GatewayError("protocol.not_acceptable", message, { facts: { field: "output_format" } });
}

function toProviderRate({ codec, sampleRateHz }: OutputFormat, ownHz: number): number {
  if (codec === "mulaw" || codec === "alaw") return TELEPHONE_RATE_HZ;
  const isSamples = codec === "pcm" || codec === "wav";
  return isSamples && PROVIDER_RATES_HZ.has(sampleRateHz) ? sampleRateHz : ownHz;
}

/** It needs no encoder. */
export const isOnlySamples = ({ format, fromHz }: SpokenFormat): boolean => isPlain(format, fromHz);

/** As ElevenLabs names it. */
export const toContentType = ({ codec, contentType }: OutputFormat): string =>
  codec === "opus" ? "audio/opus" : contentType;
