import { GatewayError } from "@tts-labs/protocol/errors";

export type AudioFormat = "json" | "wav" | "pcm";

const FORMATS: ReadonlyMap<string, AudioFormat> = new Map([
  ["application/json", "json"],
  ["application/*", "json"],
  ["*/*", "json"],
  ["audio/wav", "wav"],
  ["audio/x-wav", "wav"],
  ["audio/wave", "wav"],
  ["audio/*", "wav"],
  ["audio/pcm", "pcm"],
  ["application/octet-stream", "pcm"],
]);

/**
 * The format that an `Accept` header likes best, the first of equals; JSON where it is missing. @throws GatewayError
 * `protocol.not_acceptable`
 */
export function parseAccept(accept: string): AudioFormat {
  if (accept.trim() === "") return "json";
  let best: { readonly format: AudioFormat; readonly quality: number } | undefined;
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
    "Accept one of application/json, audio/wav, audio/pcm, application/octet-stream.",
  );
}
