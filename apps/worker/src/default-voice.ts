import type { Logger } from "@tts-labs/core/logger";
import { firstVoice, type Voice } from "@tts-labs/core/session/redis-voice-list";
import { GatewayError } from "@tts-labs/protocol/errors";
import { FIRST_VOICE, type SpeechOptions } from "@tts-labs/protocol/speech-options";

export interface DefaultVoiceOptions {
  /** `TTS_VOICE`, where it is set. */
  readonly configured: string | undefined;
  /** Called with the voice each time it changes. */
  readonly chosen: (voice: string) => void;
  readonly logger: Logger;
}

/**
 * The voice of utterances that name none, as this worker knows it: the configured one, else the first of the account.
 * No id is built in, since the provider retires voices. Edges choose by the same rule from the same list.
 */
export class DefaultVoice {
  readonly #options: DefaultVoiceOptions;
  #voice: string | undefined;
  #hasComplained = false;

  constructor(options: DefaultVoiceOptions) {
    this.#options = options;
    const { configured, chosen } = options;
    this.#voice = configured;
    if (configured !== undefined) chosen(configured);
  }

  /** With a voice where the edge knew none. */
  readonly named = (speech: SpeechOptions): SpeechOptions =>
    speech.voice === FIRST_VOICE && this.#voice !== undefined ? { ...speech, voice: this.#voice } : speech;

  /** What has become of asking the provider for its voices. */
  told(voices: readonly Voice[] | GatewayError): void {
    const { configured, chosen, logger } = this.#options;
    if (configured !== undefined) return;
    if (voices instanceof GatewayError) {
      if (this.#voice === undefined) this.#complain("the key can't list the account's voices", voices);
      return;
    }
    const voice = firstVoice(voices, this.#voice);
    if (voice === undefined) this.#complain("the account lists no voices", undefined);
    if (voice === undefined || voice === this.#voice) return;
    this.#voice = voice;
    const name = voices.find(({ id }) => id === voice)?.name;
    logger.info(
      { voice, name },
      "utterances that name no voice are spoken by the account's first; TTS_VOICE names another",
    );
    chosen(voice);
  }

  #complain(why: string, error: GatewayError | undefined): void {
    if (this.#hasComplained) return;
    this.#hasComplained = true;
    const facts = error === undefined ? {} : { code: error.code, ...error.facts };
    this.#options.logger.warn(
      facts,
      `No voice can be chosen for requests that name none, since ${why}: set TTS_VOICE to the id of one.`,
    );
  }
}
