import type { WireOptions } from "./sent-text.ts";

/** How an utterance shall sound; whatever is left out, the server decides. Ranges are the provider's. */
export interface SpeakOptions {
  readonly voice?: string;
  readonly model?: string;
  /** ISO 639-1, such as "de", or "fil". */
  readonly language?: string;
  readonly voiceSettings?: {
    /** 0 to 1 */
    readonly stability?: number;
    /** 0 to 1 */
    readonly similarityBoost?: number;
    /** 0 to 1 */
    readonly style?: number;
    readonly useSpeakerBoost?: boolean;
    /** 0.7 to 1.2 */
    readonly speed?: number;
  };
  /** Characters to gather before the 1st, 2nd, … generation. */
  readonly chunkLengthSchedule?: readonly number[];
  /** Each piece of text is spoken by itself, at once: for whole sentences only. */
  readonly autoMode?: boolean;
  /** The same seed and text sound the same, as far as the provider can. */
  readonly seed?: number;
  readonly textNormalization?: "auto" | "on" | "off";
  /** Text is normalized by the rules of its language, which takes long; Japanese only. */
  readonly languageTextNormalization?: boolean;
  /** Dictionaries of the provider's account, at most 3, in the order in which they apply. */
  readonly pronunciationDictionaries?: readonly { readonly id: string; readonly versionId?: string }[];
  /** Tags of SSML in the text are obeyed. */
  readonly ssml?: boolean;
  /** false: the provider is asked to keep nothing of it, and it is neither cached nor shared. */
  readonly logging?: boolean;
  /**
   * The first sentence of a text that comes in pieces is spoken as one, once it is complete. Otherwise its first clause
   * is spoken as soon as it is there.
   */
  readonly natural?: boolean;
}

/** The fields as they travel; absent ones stay absent, so that the server's defaults hold. */
export function toWireOptions(options: SpeakOptions): WireOptions {
  const { voiceSettings: settings } = options;
  return present({
    voice: options.voice,
    model: options.model,
    language: options.language,
    voice_settings:
      settings === undefined
        ? undefined
        : present({
            stability: settings.stability,
            similarity_boost: settings.similarityBoost,
            style: settings.style,
            use_speaker_boost: settings.useSpeakerBoost,
            speed: settings.speed,
          }),
    chunk_length_schedule:
      options.chunkLengthSchedule === undefined ? undefined : [...options.chunkLengthSchedule],
    auto_mode: options.autoMode,
    seed: options.seed,
    text_normalization: options.textNormalization,
    language_text_normalization: options.languageTextNormalization,
    pronunciation_dictionaries: options.pronunciationDictionaries?.map(({ id, versionId }) =>
      versionId === undefined
        ? { pronunciation_dictionary_id: id }
        : { pronunciation_dictionary_id: id, version_id: versionId },
    ),
    ssml: options.ssml,
    logging: options.logging,
    natural: options.natural,
  });
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}
