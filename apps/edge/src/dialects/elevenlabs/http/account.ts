import type { Voice } from "@tts-labs/core/session/redis-voice-list";
import { parseQuery } from "@tts-labs/protocol/query";
import type { SpeechDefaults } from "@tts-labs/protocol/speech-options";
import { z } from "zod";
import type { HttpExchange } from "../../../http/exchange.ts";
import { runOps } from "../../../http/ops-routes.ts";
import { checked, parseVoiceId, voiceNotFound } from "../wire/speech-body.ts";
import { MODELS, toModelJson } from "./models.ts";

export interface AccountServices {
  readonly voices: () => Promise<readonly Voice[]>;
  readonly info: { readonly defaults: SpeechDefaults };
}

/** The query of `GET /v2/voices`. Names it does not know are ignored. */
export const voicesQuerySchema = z.object({
  search: z.string().max(200).default("").describe("Part of a voice's name or language."),
  page_size: z.coerce.number().int().min(1).max(100).default(10),
  next_page_token: z.coerce.number().int().min(0).default(0).describe("As the page before has told it."),
});

const DEFAULT_SETTINGS = {
  stability: 0.5,
  similarity_boost: 0.75,
  style: 0,
  use_speaker_boost: true,
  speed: 1,
};

/** In the fields that clients read; what the edge does not know of a voice is null or empty. */
const toVoiceJson = ({ id, name, language }: Voice) => ({
  voice_id: id,
  name,
  category: "premade",
  labels: language === undefined ? {} : { language },
  description: null,
  preview_url: null,
  settings: DEFAULT_SETTINGS,
  available_for_tiers: [],
  high_quality_base_model_ids: MODELS.map(({ id: modelId }) => modelId),
});

/** What a plan would allow. The edge sets no price and keeps no account: limits are its operator's. */
const SUBSCRIPTION = {
  tier: "self_hosted",
  character_count: 0,
  character_limit: 1_000_000_000,
  max_credit_limit_extension: "unlimited",
  can_extend_character_limit: false,
  allowed_to_extend_character_limit: false,
  voice_slots_used: 0,
  professional_voice_slots_used: 0,
  professional_voice_slots_used_in_workspace: 0,
  voice_limit: 0,
  voice_add_edit_counter: 0,
  professional_voice_limit: 0,
  can_extend_voice_limit: false,
  can_use_instant_voice_cloning: false,
  can_use_professional_voice_cloning: false,
  current_overage: { amount: "0", currency: "usd" },
  status: "active",
};

const USER = {
  user_id: "tts-labs",
  workspace_id: "tts-labs",
  subscription: SUBSCRIPTION,
  is_new_user: false,
  can_use_delayed_payment_methods: false,
  is_onboarding_completed: true,
  is_onboarding_checklist_completed: true,
  created_at: 0,
  seat_type: "workspace_member",
};

type Answer = (exchange: HttpExchange, services: AccountServices) => Promise<object>;

/** Place of the voice in the path, `/v1/voices/{voice_id}`. */
const VOICE_SEGMENT = 3;

/** The voice of the path. @throws GatewayError `provider.voice_not_found`, `storage.*` */
async function voiceOf({ path }: HttpExchange, { voices }: AccountServices): Promise<Voice> {
  const id = parseVoiceId(path.split("/")[VOICE_SEGMENT] ?? "");
  const voice = (await voices()).find((it) => it.id === id);
  if (voice === undefined) throw voiceNotFound(id);
  return voice;
}

/** GET routes about voices, models and the account, by their paths. */
export const accountRoutes: Readonly<Record<string, Answer>> = {
  "/v1/voices": async (_, { voices }) => ({ voices: (await voices()).map(toVoiceJson) }),
  "/v2/voices": async ({ query }, { voices }) => {
    const page = checked(voicesQuerySchema, parseQuery(query), "query");
    const sought = page.search.toLowerCase();
    const found = (await voices()).filter(({ name, language = "" }) =>
      `${name} ${language}`.toLowerCase().includes(sought),
    );
    const end = page.next_page_token + page.page_size;
    const hasMore = found.length > end;
    return {
      voices: found.slice(page.next_page_token, end).map(toVoiceJson),
      has_more: hasMore,
      total_count: found.length,
      next_page_token: hasMore ? String(end) : null,
    };
  },
  "/v1/voices/settings/default": async () => DEFAULT_SETTINGS,
  "/v1/voices/:voice/settings": async (exchange, services) => {
    await voiceOf(exchange, services);
    return DEFAULT_SETTINGS;
  },
  "/v1/voices/:voice": async (exchange, services) => toVoiceJson(await voiceOf(exchange, services)),
  "/v1/user": async () => USER,
  "/v1/user/subscription": async () => ({ ...SUBSCRIPTION, open_invoices: [], has_open_invoices: false }),
};

/** `GET /v1/models` for a client that shows an ElevenLabs key. */
export const listModels: Answer = async (_, { info }) =>
  [
    ...MODELS,
    ...(MODELS.some(({ id }) => id === info.defaults.model) ? [] : [toPlainModel(info.defaults.model)]),
  ].map(toModelJson);

const toPlainModel = (id: string) => ({ id, name: id, maxCharacters: 10_000, languages: [] });

/** Answers with what `answer` gives; what it throws is answered, too. */
export const runAccount = (answer: Answer, exchange: HttpExchange, services: AccountServices): void =>
  runOps(
    async (_, own) => {
      const headers = { "x-trace-id": exchange.requestId, "request-id": exchange.requestId };
      exchange.answerJson(200, await answer(exchange, own), headers);
    },
    exchange,
    services,
  );
