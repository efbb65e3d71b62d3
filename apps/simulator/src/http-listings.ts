import { MODELS } from "./models.ts";
import { VOICES, type Voice } from "./voices.ts";

/** What the listing routes answer, in the fields that clients read. */
export function toVoiceJson(voice: Voice): object {
  return {
    voice_id: voice.voiceId,
    name: voice.name,
    category: "premade",
    labels: {
      accent: voice.accent,
      gender: voice.gender,
      description: voice.description,
      language: voice.language,
    },
    description: `${voice.description} (simulated)`,
    preview_url: null,
    settings: { stability: 0.5, similarity_boost: 0.75, style: 0, use_speaker_boost: true, speed: 1 },
    available_for_tiers: [],
    high_quality_base_model_ids: MODELS.filter(({ sockets }) => sockets).map(({ modelId }) => modelId),
    verified_languages: [{ language: voice.language, model_id: "eleven_flash_v2_5", accent: voice.accent }],
  };
}

export const voiceList = (): object => ({ voices: VOICES.map(toVoiceJson) });

/** `/v2/voices`: searched and paged. The page token is the number of voices before the page. */
export function voicePage(query: URLSearchParams): object {
  const search = (query.get("search") ?? "").toLowerCase();
  const found = VOICES.filter(({ name, description, accent }) =>
    `${name} ${description} ${accent}`.toLowerCase().includes(search),
  );
  const size = Math.max(1, Math.min(100, Number(query.get("page_size") ?? 10) || 10));
  const from = Math.max(0, Number(query.get("next_page_token") ?? 0) || 0);
  const hasMore = found.length > from + size;
  return {
    voices: found.slice(from, from + size).map(toVoiceJson),
    has_more: hasMore,
    total_count: found.length,
    next_page_token: hasMore ? String(from + size) : null,
  };
}

export const modelList = (): readonly object[] =>
  MODELS.map((model) => ({
    model_id: model.modelId,
    name: model.name,
    can_be_finetuned: false,
    can_do_text_to_speech: true,
    can_do_voice_conversion: false,
    can_use_style: true,
    can_use_speaker_boost: true,
    serves_pro_voices: false,
    token_cost_factor: model.creditsPerCharacter,
    requires_alpha_access: false,
    max_characters_request_free_user: model.maxCharacters,
    max_characters_request_subscribed_user: model.maxCharacters,
    maximum_text_length_per_request: model.maxCharacters,
    languages: model.languages.map((code) => ({ language_id: code, name: code })),
    model_rates: { character_cost_multiplier: model.creditsPerCharacter },
    concurrency_group: "standard",
  }));
