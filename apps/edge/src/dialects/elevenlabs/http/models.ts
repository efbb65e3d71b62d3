/** A model of ElevenLabs' that can be streamed with (docs/elevenlabs.md 4.2). */
export interface Model {
  readonly id: string;
  readonly name: string;
  readonly maxCharacters: number;
  readonly languages: readonly string[];
}

const MULTILINGUAL =
  "en ja zh de hi fr ko pt it es id nl tr fil pl sv bg ro ar cs el fi hr ms sk da ta uk ru".split(" ");
const EVERY_LANGUAGE = [...MULTILINGUAL, "hu", "no", "vi"];

export const MODELS: readonly Model[] = [
  { id: "eleven_flash_v2_5", name: "Eleven Flash v2.5", maxCharacters: 40_000, languages: EVERY_LANGUAGE },
  { id: "eleven_turbo_v2_5", name: "Eleven Turbo v2.5", maxCharacters: 40_000, languages: EVERY_LANGUAGE },
  {
    id: "eleven_multilingual_v2",
    name: "Eleven Multilingual v2",
    maxCharacters: 10_000,
    languages: MULTILINGUAL,
  },
  { id: "eleven_flash_v2", name: "Eleven Flash v2", maxCharacters: 30_000, languages: ["en"] },
  { id: "eleven_turbo_v2", name: "Eleven Turbo v2", maxCharacters: 30_000, languages: ["en"] },
];

export const toModelJson = ({ id, name, maxCharacters, languages }: Model): object => ({
  model_id: id,
  name,
  can_be_finetuned: false,
  can_do_text_to_speech: true,
  can_do_voice_conversion: false,
  can_use_style: true,
  can_use_speaker_boost: true,
  serves_pro_voices: false,
  requires_alpha_access: false,
  maximum_text_length_per_request: maxCharacters,
  languages: languages.map((code) => ({ language_id: code, name: code })),
  concurrency_group: "standard",
});
