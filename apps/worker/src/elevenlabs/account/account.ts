import { GatewayError } from "@tts-labs/protocol/errors";
import { toLimit } from "../errors/provider-limit.ts";
import { askProvider, type ProviderHttpOptions } from "./provider-http.ts";

/** What the provider says of a key when asked, without a word being spoken. */
export interface Account {
  /** Why the key can't be used at all; absent where it can, or nothing is known. */
  readonly refusal?: GatewayError;
  /** Generations at once that the plan allows; absent where the provider does not say. */
  readonly slots?: number;
  /** The source of that number, for the log. */
  readonly from?: string;
}

/** By the plan's name: with flash and turbo models, and with all others (docs/elevenlabs.md, concurrency). */
const PLANS: Readonly<Record<string, readonly [fast: number, others: number]>> = {
  free: [4, 2],
  starter: [6, 3],
  creator: [10, 5],
  pro: [20, 10],
  scale: [30, 15],
  business: [30, 15],
};

/** Says "no" of the key itself, rather than of what it was asked for. */
const OF_THE_KEY: ReadonlySet<unknown> = new Set([
  "invalid_api_key",
  "missing_api_key",
  "needs_authorization",
  "unauthorized",
  "authentication_error",
  "invalid_authorization_header",
  "sign_in_required",
  "detected_unusual_activity",
]);

/** Never throws: a key that may not read its subscription may still speak. */
export async function askAccount(
  options: ProviderHttpOptions & { readonly model: string; readonly timeoutMs: number },
): Promise<Account> {
  try {
    const signal = AbortSignal.timeout(options.timeoutMs);
    const { headers, body } = await askProvider("/v1/user/subscription", options, signal);
    const told = toLimit(headers.get("maximum-concurrent-requests"));
    if (told !== undefined) return { slots: told, from: "a response header" };
    const tier =
      typeof body === "object" && body !== null ? (body as Record<string, unknown>)["tier"] : undefined;
    const plan = typeof tier === "string" && Object.hasOwn(PLANS, tier) ? PLANS[tier] : undefined;
    if (plan === undefined) return {};
    const [fast, others] = plan;
    return {
      slots: /^eleven_(?:flash|turbo)_/.test(options.model) ? fast : others,
      from: `the plan "${tier}"`,
    };
  } catch (error) {
    const isRefused =
      error instanceof GatewayError &&
      error.code === "provider.invalid_key" &&
      OF_THE_KEY.has(error.facts["providerError"] ?? "unauthorized");
    return isRefused ? { refusal: error } : {};
  }
}
