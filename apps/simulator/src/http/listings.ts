import { gzipSync } from "node:zlib";
import { MODELS } from "../voice/models.ts";
import { VOICES, type Voice } from "../voice/voices.ts";
import { type HttpError, httpErrors } from "./error.ts";

/** What the listing routes answer, in the fields that clients read. */
export const defaultSettings = (): object => ({
  stability: 0.5,
  similarity_boost: 0.75,
  style: 0,
  use_speaker_boost: true,
  speed: 1,
});

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
    settings: defaultSettings(),
    available_for_tiers: [],
    high_quality_base_model_ids: MODELS.filter(({ sockets }) => sockets).map(({ modelId }) => modelId),
    verified_languages: [{ language: voice.language, model_id: "eleven_flash_v2_5", accent: voice.accent }],
  };
}

export const voiceList = (voices: readonly Voice[]): object => ({ voices: voices.map(toVoiceJson) });

const MAX_PAGE = 100;
const PAGE = 10;

/** `/v2/voices`: searched and paged. The page token is the number of voices before the page. */
export function voicePage(voices: readonly Voice[], query: URLSearchParams): object | HttpError {
  const size = Number(query.get("page_size") ?? PAGE);
  if (!Number.isInteger(size) || size < 1 || size > MAX_PAGE) {
    return httpErrors.invalidPage("invalid_page_size", "page_size");
  }
  const from = Number(query.get("next_page_token") ?? 0);
  if (!Number.isInteger(from) || from < 0) return httpErrors.invalidPage("invalid_cursor", "next_page_token");
  const search = (query.get("search") ?? "").toLowerCase();
  const found = voices.filter(({ name, description, accent }) =>
    `${name} ${description} ${accent}`.toLowerCase().includes(search),
  );
  const hasMore = found.length > from + size;
  return {
    voices: found.slice(from, from + size).map(toVoiceJson),
    has_more: hasMore,
    total_count: found.length,
    next_page_token: hasMore ? String(from + size) : null,
  };
}

const MORE_VOICES = 250;

/** The cast, and as many voices more as a large account has; they are listed and can't be spoken with. */
export const manyVoices = (): Voice[] => {
  const [first] = VOICES;
  if (first === undefined) return [];
  const more = Array.from({ length: MORE_VOICES }, (_, i) => ({
    ...first,
    voiceId: `simListed${String(i).padStart(11, "0")}`,
    name: `Listed ${i + 1}`,
  }));
  return [...VOICES, ...more];
};

const BOMB_BYTES = 1024 * 1024 * 1024;
const MEMBER_BYTES = 16 * 1024 * 1024;

/** JSON of 1 GiB, nearly all white space, in about 1 MiB of gzip. */
export function voicesBomb(): Buffer {
  const member = gzipSync(Buffer.alloc(MEMBER_BYTES, " "));
  const many = Array.from({ length: BOMB_BYTES / MEMBER_BYTES }, () => member);
  return Buffer.concat([gzipSync('{"voices":['), ...many, gzipSync("]}")]);
}

export const modelList = (): readonly object[] =>
  MODELS.map((model) => ({
    model_id: model.modelId,
    name: model.name,
    can_be_finetuned: false,
    can_do_text_to_speech: true,
    can_do_voice_conversion: false,
    can_use_style: model.modelId !== "eleven_v4",
    can_use_speaker_boost: model.modelId !== "eleven_v4",
    serves_pro_voices: false,
    token_cost_factor: model.creditsPerCharacter,
    requires_alpha_access: false,
    max_characters_request_free_user: model.maxCharacters,
    max_characters_request_subscribed_user: model.maxCharacters,
    maximum_text_length_per_request: model.maxCharacters,
    languages: model.languages.map((code) => ({ language_id: code, name: code })),
    model_rates: { character_cost_multiplier: model.creditsPerCharacter },
    concurrency_group: model.sockets ? "standard" : "dialogue",
  }));

/** Plans by what they allow to generate at once with flash models (docs/elevenlabs.md, concurrency). */
const PLANS: ReadonlyMap<number, string> = new Map([
  [4, "free"],
  [6, "starter"],
  [10, "creator"],
  [20, "pro"],
  [30, "scale"],
]);

/**
 * `/v1/user/subscription`: the plan by its name; it has no number for concurrent speech. The plan is one that allows
 * what the simulator allows; any other number, or none, is by contract.
 */
export const subscription = (charactersUsed: number, concurrency: number): object => ({
  tier: PLANS.get(concurrency) ?? "enterprise",
  character_count: charactersUsed,
  character_limit: 500_000,
  max_character_limit_extension: null,
  can_extend_character_limit: false,
  allowed_to_extend_character_limit: false,
  next_character_count_reset_unix: 1_798_761_600,
  voice_slots_used: 0,
  professional_voice_slots_used: 0,
  voice_limit: 160,
  max_voice_add_edits: 290,
  voice_add_edit_counter: 0,
  professional_voice_limit: 1,
  can_extend_voice_limit: false,
  can_use_instant_voice_cloning: true,
  can_use_professional_voice_cloning: true,
  currency: "usd",
  status: "active",
  billing_period: "monthly_period",
  character_refresh_period: "monthly_period",
  next_invoice: null,
  has_open_invoices: false,
});

export const user = (charactersUsed: number, concurrency: number): object => ({
  user_id: "simulatedUser0000000",
  subscription: subscription(charactersUsed, concurrency),
  is_new_user: false,
  xi_api_key: null,
  can_use_delayed_payment_methods: false,
  is_onboarding_completed: true,
  is_onboarding_checklist_completed: true,
  first_name: "Sim",
  created_at: 1_735_689_600,
  seat_type: "workspace_admin",
});
