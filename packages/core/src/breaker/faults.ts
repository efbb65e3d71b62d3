import { type ErrorCode, GatewayError, type GatewayErrorOptions } from "@tts-labs/protocol/errors";

/** What a failure says of the provider: it counts against it, proves that it answers, or says neither. */
export type Verdict = "fault" | "alive" | "nothing";

/** What a failure says of the key: it is to rest, another one may do, or another one would be told the same. */
export type KeyVerdict = "rest" | "another" | "same";

/**
 * A failure whose code alone does not say whose it is. The verdicts stay in this process: clients are told the
 * code, the message and the facts.
 */
export class ProviderError extends GatewayError {
  readonly verdict: Verdict;
  readonly key: KeyVerdict;

  constructor(
    code: ErrorCode,
    verdicts: { readonly verdict: Verdict; readonly key: KeyVerdict },
    message?: string,
    options?: GatewayErrorOptions,
  ) {
    super(code, message, options);
    this.verdict = verdicts.verdict;
    this.key = verdicts.key;
  }

  override withFacts(facts: NonNullable<GatewayErrorOptions["facts"]>): ProviderError {
    return new ProviderError(this.code, this, this.message, this.optionsWith(facts));
  }
}

/**
 * Codes that speak against the provider itself, unless the error says otherwise. These are not: what the request or
 * the account brought about (voice, settings, key, quota), and what is our own doing (too many requests at once, a
 * socket kept idle too long).
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
  "provider.wrong_format",
  "provider.too_much_audio",
]);

/** What shows only in audio, or after it: the sound itself is at fault, so its beginning was no success. */
const OF_THE_SOUND: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "provider.wrong_format",
  "provider.too_much_audio",
]);

export const isFaultOfTheSound = (error: GatewayError): boolean => OF_THE_SOUND.has(error.code);

const OF_THE_KEY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "provider.invalid_key",
  "provider.quota_exceeded",
]);

/** What the end of an attempt says of the provider. */
export function verdictOn(error: GatewayError): Verdict {
  if (error instanceof ProviderError) return error.verdict;
  // Another socket is given the whole time; that one tells a slow provider from a silent one.
  if (error.facts["early"] === true) return "nothing";
  return verdictOnCode(error.code, error.retryable);
}

/** The same, where only the code is known. */
export function verdictOnCode(code: ErrorCode, retryable: boolean): Verdict {
  if (FAULTS.has(code)) return "fault";
  // A provider that refuses a request for good has answered it.
  return code.startsWith("provider.") && !retryable ? "alive" : "nothing";
}

/** What the end of an attempt says of the key that it was made with. */
export function keyVerdictOn(error: GatewayError): KeyVerdict {
  if (error instanceof ProviderError) return error.key;
  return OF_THE_KEY.has(error.code) ? "rest" : "same";
}
