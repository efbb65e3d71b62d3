import { GatewayError } from "@tts-labs/protocol/errors";
import { type ProviderKey, toProviderKeys } from "./elevenlabs/account/provider-keys.ts";

/** As configured. */
export interface FallbackSettings {
  /** The first provider's address. */
  readonly elevenLabsUrl: string;
  readonly fallbackVoice: string | undefined;
  readonly fallbackModel: string | undefined;
  readonly fallbackUrl: string | undefined;
  readonly fallbackApiKey: string | undefined;
  readonly fallbackApiKeys: string | undefined;
  readonly fallbackSlots: number;
}

export interface FallbackProvider {
  readonly url: string;
  readonly keys: readonly ProviderKey[];
}

/**
 * The second provider, if one is configured, and that what is configured makes sense.
 * @param first the first provider's keys
 * @throws GatewayError `config.invalid`, which names the variable and shows no key
 */
export function toFallbackProvider(
  config: FallbackSettings,
  first: readonly ProviderKey[],
): FallbackProvider | undefined {
  const { fallbackUrl: url, fallbackApiKey: apiKey, fallbackApiKeys: apiKeys } = config;
  assertProviderId("FALLBACK_VOICE", config.fallbackVoice);
  assertProviderId("FALLBACK_MODEL", config.fallbackModel);
  if (url === undefined) {
    if (apiKey === undefined && apiKeys === undefined) return undefined;
    throw invalid("FALLBACK_ELEVENLABS_API_KEY(S) is set, but no FALLBACK_ELEVENLABS_URL to use it at.");
  }
  if (!/^(https?|wss?):$/.test(URL.parse(url)?.protocol ?? "")) {
    throw invalid(`FALLBACK_ELEVENLABS_URL=${JSON.stringify(url)} is not an http(s) or ws(s) URL.`);
  }
  const slots = config.fallbackSlots;
  const keys = toProviderKeys({ apiKey, apiKeys, slots, variable: "FALLBACK_ELEVENLABS_API_KEY" });
  const isHere = URL.parse(url)?.host === URL.parse(config.elevenLabsUrl)?.host;
  if (isHere && keys.some(({ keyId }) => first.some((it) => it.keyId === keyId))) {
    throw invalid("FALLBACK_ELEVENLABS_URL is the first provider itself, with the same key.");
  }
  return { url, keys };
}

function assertProviderId(variable: string, value: string | undefined): void {
  if (value === undefined || /^[A-Za-z0-9_-]{1,64}$/.test(value)) return;
  throw invalid(`${variable}=${JSON.stringify(value)} is not 1 to 64 letters, digits, '_' or '-'.`);
}

const invalid = (problem: string) => new GatewayError("config.invalid", problem);
