import type { ErrorCode, GatewayError } from "../errors.ts";

/**
 * What speaks against the provider itself. Not: what the request or the account brought about (voice, settings,
 * key, quota), what is our own doing (too many at once, a socket kept idle too long), what came after audio.
 */
const FAULTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "provider.connect_timeout",
  "provider.connect_failed",
  "provider.first_audio_timeout",
  "provider.final_timeout",
  "provider.gap_timeout",
  "provider.truncated",
  "provider.silent",
  "provider.unresponsive",
  "provider.fault",
]);

/** What an attempt's end says of the provider; "nothing" where it says neither. */
export function verdictOn(error: GatewayError): "fault" | "alive" | "nothing" {
  // Another socket is given the whole time; that one tells a slow provider from a silent one.
  if (error.facts["early"] === true) return "nothing";
  if (FAULTS.has(error.code)) return "fault";
  // 429 is our own doing, 503 is not.
  if (error.code === "provider.overloaded") return error.facts["httpStatus"] === 503 ? "fault" : "nothing";
  // A provider that refuses a request for good has answered it.
  return error.family === "provider" && !error.retryable ? "alive" : "nothing";
}
