import { GatewayError } from "@tts-labs/protocol/errors";

/** OpenAI's models for speech, which clients name by habit: the edge's own model speaks for them. */
export const HABITUAL_MODELS: readonly string[] = ["tts-1", "tts-1-hd", "gpt-4o-mini-tts"];

const PROVIDER_MODEL = /^eleven_[a-z0-9_]{1,56}$/;
const HABITUAL = new RegExp(`^(?:${HABITUAL_MODELS.join("|")})(?:-\\d{4}(?:-\\d{2}-\\d{2})?)?$`);

/**
 * The provider's model of that name; `undefined` is the edge's own. A vendor before it ("elevenlabs/") is left out, and
 * hyphens and dots are taken for the underscores that the provider writes.
 * @throws GatewayError `provider.unsupported_model`
 */
export function toModel(name: string, own: string): string | undefined {
  const plain = name.slice(name.lastIndexOf("/") + 1);
  if (HABITUAL.test(plain) || plain === own) return undefined;
  const written = plain.replace(/[-.]/g, "_");
  if (PROVIDER_MODEL.test(written)) return written;
  throw new GatewayError(
    "provider.unsupported_model",
    `There is no model ${JSON.stringify(name.slice(0, 60))}; there are ${[own, ...HABITUAL_MODELS].join(", ")} and the provider's own, eleven_….`,
    { facts: { field: "model" } },
  );
}
