import { GatewayError } from "@tts-labs/protocol/errors";

/** What a client may ask for in `output_format` (docs/elevenlabs.md 4.1). */
export interface OutputFormat {
  readonly name: string;
  readonly codec: "pcm" | "wav" | "ulaw" | "alaw";
  readonly sampleRateHz: number;
  readonly contentType: string;
}

/** `whole`: the answer is a file; only there WAV has its lengths. */
export type FormatPlace = "whole" | "stream" | "socket";

const PCM_RATES_HZ = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];

const FORMATS: ReadonlyMap<string, OutputFormat> = new Map(
  [
    ...PCM_RATES_HZ.map((sampleRateHz): OutputFormat => {
      return { name: `pcm_${sampleRateHz}`, codec: "pcm", sampleRateHz, contentType: "audio/pcm" };
    }),
    ...PCM_RATES_HZ.map((sampleRateHz): OutputFormat => {
      return { name: `wav_${sampleRateHz}`, codec: "wav", sampleRateHz, contentType: "audio/wav" };
    }),
    { name: "ulaw_8000", codec: "ulaw", sampleRateHz: 8_000, contentType: "audio/basic" } as const,
    { name: "alaw_8000", codec: "alaw", sampleRateHz: 8_000, contentType: "audio/x-alaw-basic" } as const,
  ].map((format) => [format.name, format]),
);

/** Of a request that names none. */
export const DEFAULT_FORMAT = "mp3_44100_128";

/** @throws GatewayError `protocol.not_acceptable` with the formats that there are */
export function parseOutputFormat(name: string, place: FormatPlace): OutputFormat {
  const format = FORMATS.get(name);
  if (format !== undefined && (format.codec !== "wav" || place === "whole")) return format;
  const names = [...FORMATS.values()].filter(({ codec }) => codec !== "wav" || place === "whole");
  const message = `Output format '${name.slice(0, 40)}' is not valid. Valid formats are: ${names.map((it) => it.name).join(", ")}.`;
  throw new GatewayError("protocol.not_acceptable", message, { facts: { field: "output_format" } });
}
