import { GatewayError } from "@tts-labs/protocol/errors";
import { toKeyId } from "../route.ts";

/** One of the account's keys, or none where the provider asks for none. */
export interface ProviderKey {
  readonly keyId: string;
  readonly secret: string | undefined;
  /** Generations at once, all workers together; 0: any number; `undefined`: what the provider says its plan allows. */
  readonly slots: number | undefined;
}

/** Of one provider. */
export const MAX_KEYS = 16;
/** Of the characters that a header can carry, without the two that part keys and slots. */
const KEY = /^([\x21-\x2b\x2d-\x39\x3b-\x7e]+)(?::(\d{1,5}))?$/;

/**
 * `ELEVENLABS_API_KEY` and then `ELEVENLABS_API_KEYS`: `key` or `key:slots`, separated by commas. A key listed
 * twice counts once, as first said. No message shows a key.
 * @throws GatewayError `config.invalid`
 */
export function toProviderKeys(config: {
  readonly apiKey: string | undefined;
  readonly apiKeys: string | undefined;
  /** Of keys that name none of their own. */
  readonly slots: number | undefined;
  /** Variable that the first is from, for the message. */
  readonly variable?: string;
}): readonly ProviderKey[] {
  const written = [config.apiKey ?? "", ...(config.apiKeys ?? "").split(",")].map((it) => it.trim());
  const keys = new Map<string, ProviderKey>();
  for (const [index, item] of written.entries()) {
    if (item === "") continue;
    const [, secret, slots] = KEY.exec(item) ?? [];
    if (secret === undefined) throw invalid(config.variable ?? "ELEVENLABS_API_KEY", index);
    const keyId = toKeyId(secret);
    if (!keys.has(keyId)) {
      keys.set(keyId, { keyId, secret, slots: slots === undefined ? config.slots : Number(slots) });
    }
  }
  if (keys.size > MAX_KEYS) throw new GatewayError("config.invalid", `More than ${MAX_KEYS} provider keys.`);
  if (keys.size > 0) return [...keys.values()];
  return [{ keyId: toKeyId(undefined), secret: undefined, slots: config.slots }];
}

const invalid = (variable: string, index: number) =>
  new GatewayError(
    "config.invalid",
    `The provider's keys can't be used: ${index === 0 ? variable : `key ${index} of ${variable}S`} is not written as key or key:slots, with commas between.`,
  );
