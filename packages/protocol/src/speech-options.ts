import { z } from "zod";

/**
 * What may be asked of a voice: the audible options of one utterance, as clients name them.
 * Ranges are ElevenLabs' (reference: their API documentation); the provider has the last word on ids.
 */
export const voiceSettingsSchema = z.strictObject({
  stability: z.number().min(0).max(1).optional(),
  similarity_boost: z.number().min(0).max(1).optional(),
  style: z.number().min(0).max(1).optional(),
  use_speaker_boost: z.boolean().optional(),
  speed: z.number().min(0.7).max(1.2).optional(),
});

/** A dictionary of the provider's account, and which version of it; the newest where none is named. */
export const dictionarySchema = z.strictObject({
  pronunciation_dictionary_id: z.string().min(1).max(64),
  version_id: z.string().min(1).max(64).optional(),
});

const providerId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 letters, digits, '_' or '-'");

/** Fields that open an utterance; all optional, each with a configured default. */
export const speechOptionsShape = {
  voice: providerId.optional(),
  model: providerId.optional(),
  language: z
    .string()
    .regex(/^(?:[a-z]{2}|fil)$/, "must be an ISO 639-1 code such as 'de', or 'fil'")
    .optional()
    .describe("ISO 639-1, or `fil` for Filipino, which has no code of two letters."),
  voice_settings: voiceSettingsSchema.optional(),
  chunk_length_schedule: z
    .array(z.int().min(50).max(500))
    .min(1)
    .max(8)
    .optional()
    .describe("Characters to gather before the 1st, 2nd, … generation."),
  auto_mode: z
    .boolean()
    .optional()
    .describe("Each text message is spoken by itself, at once: for whole sentences only."),
  seed: z.int().min(0).max(4_294_967_295).optional(),
  text_normalization: z.enum(["auto", "on", "off"]).optional(),
  language_text_normalization: z
    .boolean()
    .optional()
    .describe("Text is normalized by the rules of its language, which takes long; Japanese only."),
  pronunciation_dictionaries: z
    .array(dictionarySchema)
    .min(1)
    .max(3)
    .optional()
    .describe("Dictionaries of the provider's account, in the order in which they apply."),
  ssml: z
    .boolean()
    .optional()
    .describe(
      "Tags of SSML in the text are obeyed. Send a tag in one message, since one that is parted is read aloud.",
    ),
  logging: z
    .boolean()
    .optional()
    .describe(
      "false: the provider is asked to keep nothing of it, and it is neither cached nor shared here.",
    ),
  natural: z
    .boolean()
    .optional()
    .describe(
      "true: the first sentence of a text that comes in pieces is spoken as one, once it is complete; false: its first " +
        "clause is spoken as soon as it is there. Makes no difference where the text is complete at once.",
    ),
} as const;

export type PronunciationDictionary = z.infer<typeof dictionarySchema>;
export type VoiceSettings = z.infer<typeof voiceSettingsSchema>;

/** Speech options with every default filled in: what a job carries and a route is made of. */
export interface SpeechOptions {
  readonly voice: string;
  readonly model: string;
  readonly language?: string;
  readonly voiceSettings?: VoiceSettings;
  readonly chunkLengthSchedule?: readonly number[];
  readonly autoMode: boolean;
  readonly seed?: number;
  readonly textNormalization?: "auto" | "on" | "off";
  readonly languageTextNormalization?: boolean;
  readonly dictionaries?: readonly PronunciationDictionary[];
  /** Tags of SSML are obeyed. Absent: they are read aloud. */
  readonly ssml?: true;
  /** Neither the provider nor the cache keeps anything of it. */
  readonly logging?: false;
  /** The first sentence is spoken as one, however long it takes to come. Absent: its first clause goes ahead. */
  readonly natural?: true;
  /** PCM rate asked of the provider and promised to the client. */
  readonly sampleRateHz: number;
}

/**
 * Stands for the account's first voice where an edge does not know that one: a worker that does puts it in. Where
 * no voice is known at all, the provider is asked for one of this name, and says what it makes of it.
 */
export const FIRST_VOICE = "default";

/** What an operator configures; what a request leaves open. */
export interface SpeechDefaults {
  readonly voice: string;
  readonly model: string;
  readonly sampleRateHz: number;
  readonly language?: string;
  readonly natural?: boolean;
}

/** Speech options as a message names them. */
export type RequestedOptions = {
  readonly [K in keyof typeof speechOptionsShape]?: z.infer<(typeof speechOptionsShape)[K]> | undefined;
};

/** The wire's optional, snake-case fields with the defaults filled in. */
export function toSpeechOptions(requested: RequestedOptions, defaults: SpeechDefaults): SpeechOptions {
  const language = requested.language ?? defaults.language;
  return {
    voice: requested.voice ?? defaults.voice,
    model: requested.model ?? defaults.model,
    autoMode: requested.auto_mode ?? false,
    sampleRateHz: defaults.sampleRateHz,
    ...(language === undefined ? {} : { language }),
    ...(requested.voice_settings === undefined ? {} : { voiceSettings: requested.voice_settings }),
    ...(requested.chunk_length_schedule === undefined
      ? {}
      : { chunkLengthSchedule: requested.chunk_length_schedule }),
    ...(requested.seed === undefined ? {} : { seed: requested.seed }),
    ...(requested.text_normalization === undefined
      ? {}
      : { textNormalization: requested.text_normalization }),
    ...(requested.language_text_normalization === undefined
      ? {}
      : { languageTextNormalization: requested.language_text_normalization }),
    ...(requested.pronunciation_dictionaries === undefined
      ? {}
      : { dictionaries: requested.pronunciation_dictionaries }),
    ...(requested.ssml === true ? { ssml: true } : {}),
    ...(requested.logging === false ? { logging: false } : {}),
    ...((requested.natural ?? defaults.natural) ? { natural: true } : {}),
  };
}
