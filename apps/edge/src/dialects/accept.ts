import { GatewayError } from "@tts-labs/protocol/errors";

/** Answers in our own samples, or JSON that holds them. */
export type AudioFormat = "json" | "wav" | "pcm";
/** The others are short names of output formats. */
export type AcceptedFormat = AudioFormat | "mp3" | "opus" | "flac" | "mulaw" | "alaw";

const FORMATS: ReadonlyMap<string, AcceptedFormat> = new Map<string, AcceptedFormat>([
  ["application/json", "json"],
  ["application/*", "json"],
  ["*/*", "json"],
  ["audio/wav", "wav"],
  ["audio/x-wav", "wav"],
  ["audio/wave", "wav"],
  ["audio/*", "wav"],
  ["audio/pcm", "pcm"],
  ["application/octet-stream", "pcm"],
  ["audio/mpeg", "mp3"],
  ["audio/mp3", "mp3"],
  ["audio/ogg", "opus"],
  ["audio/opus", "opus"],
  ["audio/flac", "flac"],
  ["audio/x-flac", "flac"],
  ["audio/basic", "mulaw"],
  ["audio/x-alaw-basic", "alaw"],
]);

/**
 * The format that an `Accept` header likes best, the first of equals; JSON where it is missing. @throws GatewayError
 * `protocol.not_acceptable`
 */
export function parseAccept(accept: string): AcceptedFormat {
  if (accept.trim() === "") return "json";
  let best: { readonly format: AcceptedFormat; readonly quality: number } | undefined;
  for (const range of accept.split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const format = FORMATS.get(type);
    const weight = parameters.find((it) => it.startsWith("q="))?.slice(2);
    const quality = weight === undefined ? 1 : Number(weight);
    if (format !== undefined && quality > (best?.quality ?? 0)) best = { format, quality };
  }
  if (best !== undefined) return best.format;
  throw new GatewayError(
    "protocol.not_acceptable",
    "Accept one of application/json, audio/wav, audio/pcm, application/octet-stream, audio/mpeg, audio/ogg, audio/flac, audio/basic, audio/x-alaw-basic.",
  );
}
