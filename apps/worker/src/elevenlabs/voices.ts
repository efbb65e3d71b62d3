import { GatewayError, toGatewayError } from "@tts-labs/core/errors";
import { z } from "zod";
import { toConnectError, toUpgradeError } from "./provider-error.ts";

/** A voice that may be asked for. */
export interface ProviderVoice {
  readonly id: string;
  readonly name: string;
  /** ISO 639-1, where the provider tells it. */
  readonly language?: string;
}

export interface VoicesOptions {
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly timeoutMs: number;
}

/** More are not shown: the list is for people to choose from. */
const MAX_VOICES = 100;

const voiceSchema = z.object({
  voice_id: z.string().min(1).max(64),
  name: z.string().max(200),
  labels: z.record(z.string(), z.unknown()).nullish(),
  verified_languages: z.array(z.object({ language: z.string() })).nullish(),
});
const listSchema = z.object({ voices: z.array(z.unknown()) });

/**
 * The account's voices: `GET /v2/voices`, or where that does not exist `/v1/voices`. Voices in a form that
 * is not understood are left out.
 * @throws GatewayError `provider.*`
 */
export async function listVoices(options: VoicesOptions): Promise<readonly ProviderVoice[]> {
  const signal = AbortSignal.timeout(options.timeoutMs);
  try {
    const newer = await get(`/v2/voices?page_size=${MAX_VOICES}`, options, signal);
    const isMissing = newer.status === 404;
    if (isMissing) await newer.body?.cancel();
    const response = isMissing ? await get("/v1/voices", options, signal) : newer;
    if (!response.ok) {
      throw toUpgradeError(
        response.status,
        await response.text(),
        response.headers.get("retry-after") ?? undefined,
      );
    }
    return parseVoices(await response.json());
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    if (signal.aborted) throw new GatewayError("provider.connect_timeout");
    throw error instanceof Error ? toConnectError(error) : toGatewayError(error);
  }
}

function get(path: string, { url, apiKey }: VoicesOptions, signal: AbortSignal): Promise<Response> {
  const address = new URL(url);
  address.protocol = address.protocol.replace(/^ws/, "http");
  return fetch(`${address.href.replace(/\/+$/, "")}${path}`, {
    headers: apiKey === undefined ? {} : { "xi-api-key": apiKey },
    // A redirect would take the key along to wherever it points.
    redirect: "error",
    signal,
  });
}

function parseVoices(body: unknown): readonly ProviderVoice[] {
  const list = listSchema.safeParse(body);
  if (!list.success) throw new GatewayError("provider.fault", "The provider's list of voices can't be read.");
  return list.data.voices.slice(0, MAX_VOICES).flatMap((item) => {
    const voice = voiceSchema.safeParse(item);
    if (!voice.success) return [];
    const { voice_id: id, name, labels, verified_languages: verified } = voice.data;
    const language = labels?.["language"] ?? verified?.[0]?.language;
    return [{ id, name, ...(typeof language === "string" ? { language } : {}) }];
  });
}
