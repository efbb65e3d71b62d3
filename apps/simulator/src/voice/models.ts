/** Models as docs/elevenlabs.md 4.2 lists them. */
export interface Model {
  readonly modelId: string;
  readonly name: string;
  /** Allowed on the text-to-speech sockets, which take no model of the v3 and v4 families. */
  readonly sockets: boolean;
  readonly maxCharacters: number;
  /** Trigger to first audio, beyond flash: turbo by the published figures, the others guessed. */
  readonly extraLatencyMs: number;
  /** Whether `language_code` is honoured; where not, giving one is an error. */
  readonly takesLanguage: boolean;
  readonly creditsPerCharacter: number;
  readonly languages: readonly string[];
  /** Added to the engine's rate, so that each model sounds different from every other. */
  readonly rateOffset: number;
}

/** Of multilingual v2; flash and turbo v2.5 speak three more. `fil` is the one code of three letters. */
const MULTILINGUAL =
  "en ja zh de hi fr ko pt it es id nl tr fil pl sv bg ro ar cs el fi hr ms sk da ta uk ru".split(" ");
const EVERY_LANGUAGE = [...MULTILINGUAL, "hu", "no", "vi"];

export const MODELS: readonly Model[] = [
  {
    modelId: "eleven_flash_v2_5",
    name: "Eleven Flash v2.5",
    sockets: true,
    maxCharacters: 40_000,
    extraLatencyMs: 0,
    takesLanguage: true,
    creditsPerCharacter: 0.5,
    languages: EVERY_LANGUAGE,
    rateOffset: 0,
  },
  {
    modelId: "eleven_flash_v2",
    name: "Eleven Flash v2",
    sockets: true,
    maxCharacters: 30_000,
    extraLatencyMs: 0,
    takesLanguage: false,
    creditsPerCharacter: 0.5,
    languages: ["en"],
    rateOffset: 1,
  },
  {
    modelId: "eleven_turbo_v2_5",
    name: "Eleven Turbo v2.5",
    sockets: true,
    maxCharacters: 40_000,
    extraLatencyMs: 200,
    takesLanguage: true,
    creditsPerCharacter: 0.5,
    languages: EVERY_LANGUAGE,
    rateOffset: -1,
  },
  {
    modelId: "eleven_turbo_v2",
    name: "Eleven Turbo v2",
    sockets: true,
    maxCharacters: 30_000,
    extraLatencyMs: 200,
    takesLanguage: false,
    creditsPerCharacter: 0.5,
    languages: ["en"],
    rateOffset: -2,
  },
  {
    modelId: "eleven_multilingual_v2",
    name: "Eleven Multilingual v2",
    sockets: true,
    maxCharacters: 10_000,
    extraLatencyMs: 400,
    takesLanguage: false,
    creditsPerCharacter: 1,
    languages: MULTILINGUAL,
    rateOffset: -3,
  },
  {
    modelId: "eleven_v3",
    name: "Eleven v3",
    sockets: false,
    maxCharacters: 5_000,
    extraLatencyMs: 900,
    takesLanguage: true,
    creditsPerCharacter: 1,
    languages: EVERY_LANGUAGE,
    rateOffset: 2,
  },
  {
    modelId: "eleven_v3_conversational",
    name: "Eleven v3 Conversational",
    sockets: false,
    maxCharacters: 5_000,
    extraLatencyMs: 100,
    takesLanguage: true,
    creditsPerCharacter: 1,
    languages: EVERY_LANGUAGE,
    rateOffset: 3,
  },
  {
    modelId: "eleven_v4",
    name: "Eleven v4",
    sockets: false,
    maxCharacters: 10_000,
    extraLatencyMs: 900,
    takesLanguage: true,
    creditsPerCharacter: 1,
    languages: EVERY_LANGUAGE,
    rateOffset: 4,
  },
  {
    modelId: "eleven_v4_turbo",
    name: "Eleven v4 Turbo",
    sockets: false,
    maxCharacters: 10_000,
    extraLatencyMs: 0,
    takesLanguage: true,
    creditsPerCharacter: 1,
    languages: EVERY_LANGUAGE,
    rateOffset: -4,
  },
];

/** The families of the text-to-dialogue sockets: the text-to-speech sockets refuse them, named or not. */
export const isDialogueModel = (modelId: string): boolean => /^eleven_v[34]/.test(modelId);

/** The HTTP routes' default; taken for the sockets too, whose default is not documented. */
export const DEFAULT_MODEL_ID = "eleven_multilingual_v2";

const byId = new Map(MODELS.map((model) => [model.modelId, model]));

export const findModel = (modelId: string): Model | undefined => byId.get(modelId);
