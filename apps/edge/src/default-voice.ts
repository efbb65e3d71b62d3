import type { Logger } from "@tts-labs/core/logger";
import { firstVoice, type Voice } from "@tts-labs/core/session/redis-voice-list";
import { FIRST_VOICE, type SpeechDefaults } from "@tts-labs/protocol/speech-options";

export interface DefaultVoiceOptions {
  /** `TTS_VOICE`, where it is set. */
  readonly configured: string | undefined;
  /** The provider's voices as workers have put them; `undefined` where none has lately. */
  readonly voices: () => Promise<readonly Voice[] | undefined>;
  readonly logger: Logger;
}

/** Until a voice is known, which a worker's first round makes it soon after the start. */
const UNKNOWN_EVERY_MS = 100;
const KNOWN_EVERY_MS = 30_000;

/**
 * The voice of utterances that name none: the configured one, else the first of the account, followed in the list
 * that workers keep in Redis. Asked for every utterance, so it is a value and no wait.
 */
export class DefaultVoice {
  readonly #options: DefaultVoiceOptions;
  #voice: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: DefaultVoiceOptions) {
    this.#options = options;
    this.#voice = options.configured;
  }

  /** `FIRST_VOICE` while none is known. */
  get current(): string {
    return this.#voice ?? FIRST_VOICE;
  }

  /** Looks once, and from then on by itself. */
  async follow(): Promise<void> {
    if (this.#options.configured !== undefined || this.#closed) return;
    try {
      const voices = await this.#options.voices();
      // A list that has expired, or is empty, is no reason to have no voice.
      this.#voice = firstVoice(voices ?? [], this.#voice) ?? this.#voice;
    } catch (err) {
      this.#options.logger.debug({ err }, "default voice not looked up");
    }
    if (this.#closed) return;
    const everyMs = this.#voice === undefined ? UNKNOWN_EVERY_MS : KNOWN_EVERY_MS;
    this.#timer = setTimeout(() => void this.follow(), everyMs);
    this.#timer.unref();
  }

  /** Safe to call twice. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}

interface DefaultSettings {
  readonly model: string;
  readonly sampleRateHz: number;
  readonly natural: boolean;
  readonly language: string | undefined;
}

/** What utterances get that ask for nothing else; the voice may become another one at any time. */
export const toSpeechDefaults = (
  { model, sampleRateHz, natural, language }: DefaultSettings,
  voices: Pick<DefaultVoice, "current">,
): SpeechDefaults => ({
  get voice() {
    return voices.current;
  },
  model,
  sampleRateHz,
  natural,
  ...(language === undefined ? {} : { language }),
});
