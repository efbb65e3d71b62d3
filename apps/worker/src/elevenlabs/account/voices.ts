import type { Logger } from "@tts-labs/core/logger";
import { GatewayError } from "@tts-labs/protocol/errors";
import { z } from "zod";
import { askProvider, type ProviderHttpOptions } from "./provider-http.ts";

/** A voice that may be asked for. */
export interface ProviderVoice {
  readonly id: string;
  readonly name: string;
  /** ISO 639-1, where the provider tells it. */
  readonly language?: string;
}

export interface VoicesOptions extends ProviderHttpOptions {
  /** Time for all pages together. */
  readonly timeoutMs: number;
  readonly logger: Logger;
}

/** Voices of one page. Their records are long, and a page is read only up to 1 MiB. */
const PAGE_SIZE = 50;
/** Further pages are not asked for, and further voices not listed: the list is for people to choose from. */
const MAX_PAGES = 20;
const MAX_VOICES = 1_000;
const MAX_NAME_CHARACTERS = 100;
const MAX_PAGE_TOKEN_CHARACTERS = 1_024;

const voiceSchema = z.object({
  voice_id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  name: z.string(),
  labels: z.record(z.string(), z.unknown()).nullish().catch(undefined),
  verified_languages: z.array(z.unknown()).nullish().catch(undefined),
});
const languageSchema = z.string().min(1).max(35);
const pageSchema = z.object({
  voices: z.array(z.unknown()),
  has_more: z.boolean().nullish().catch(undefined),
  next_page_token: z.string().max(MAX_PAGE_TOKEN_CHARACTERS).nullish().catch(undefined),
});

interface Page {
  readonly voices: readonly ProviderVoice[];
  /** Absent on the last page. */
  readonly nextToken: string | undefined;
}

/**
 * The account's voices, all pages of `GET /v2/voices`, or where that does not exist `/v1/voices`. What is not
 * understood is left out; where there are more than are listed, the log says so.
 * @throws GatewayError `provider.*`
 */
export async function listVoices(options: VoicesOptions): Promise<readonly ProviderVoice[]> {
  const signal = AbortSignal.timeout(options.timeoutMs);
  const voices = new Map<string, ProviderVoice>();
  const tokens = new Set<string>();
  for (let pages = 1; ; pages++) {
    const token = [...tokens].at(-1);
    const page = await askPage(token, options, signal);
    for (const voice of page.voices) if (!voices.has(voice.id)) voices.set(voice.id, voice);
    const { nextToken } = page;
    const isFull = voices.size >= MAX_VOICES || pages >= MAX_PAGES;
    const isLast = nextToken === undefined || tokens.has(nextToken);
    if ((isFull && !isLast) || voices.size > MAX_VOICES) {
      options.logger.warn(
        { listed: Math.min(voices.size, MAX_VOICES), pages },
        "more voices than are listed",
      );
    }
    if (isLast || isFull) return [...voices.values()].slice(0, MAX_VOICES);
    tokens.add(nextToken);
  }
}

async function askPage(
  token: string | undefined,
  options: VoicesOptions,
  signal: AbortSignal,
): Promise<Page> {
  const query = new URLSearchParams({ page_size: String(PAGE_SIZE) });
  if (token !== undefined) query.set("next_page_token", token);
  try {
    const { body } = await askProvider(`/v2/voices?${query}`, options, signal);
    return toPage(body);
  } catch (error) {
    const isMissing = error instanceof GatewayError && error.facts["httpStatus"] === 404;
    if (!isMissing || token !== undefined) throw error;
    const { body } = await askProvider("/v1/voices", options, signal);
    return { ...toPage(body), nextToken: undefined };
  }
}

function toPage(body: unknown): Page {
  const page = pageSchema.safeParse(body);
  if (!page.success) throw new GatewayError("provider.fault", "The provider's list of voices can't be read.");
  const { voices, has_more: hasMore, next_page_token: token } = page.data;
  const isLast = hasMore === false || token === undefined || token === null || token === "";
  return { voices: voices.flatMap(toVoice), nextToken: isLast ? undefined : token };
}

function toVoice(item: unknown): readonly ProviderVoice[] {
  const voice = voiceSchema.safeParse(item);
  if (!voice.success) return [];
  const { voice_id: id, name, labels, verified_languages: verified } = voice.data;
  const [first] = verified ?? [];
  const told =
    labels?.["language"] ??
    (typeof first === "object" && first !== null
      ? (first as Record<string, unknown>)["language"]
      : undefined);
  const language = languageSchema.safeParse(told);
  return [{ id, name: toName(name) || id, ...(language.success ? { language: language.data } : {}) }];
}

/** One line of text, bounded. */
const toName = (name: string): string =>
  [...name.slice(0, 4 * MAX_NAME_CHARACTERS).replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, " ")]
    .slice(0, MAX_NAME_CHARACTERS)
    .join("")
    .trim();
