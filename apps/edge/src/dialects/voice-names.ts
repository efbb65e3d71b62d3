import type { Logger } from "@tts-labs/core/logger";
import type { Voice } from "@tts-labs/core/session/redis-voice-list";

/**
 * Voices that clients of OpenAI's name by habit. The first is the edge's own voice; each of the others is one of the
 * account's, always the same while that has the same.
 */
export const HABITUAL_VOICES: readonly string[] = [
  "alloy",
  "ash",
  "ballad",
  "cedar",
  "coral",
  "echo",
  "fable",
  "marin",
  "nova",
  "onyx",
  "sage",
  "shimmer",
  "verse",
];

/** How long a list is good; then it is read again beside the request that asked. */
const FRESH_MS = 5_000;

/** The account's voices by the names that clients use: ids, the voices' own names, and those that they know from OpenAI. */
export class VoiceNames {
  readonly #read: () => Promise<readonly Voice[]>;
  readonly #logger: Logger;
  #voices: readonly Voice[] = [];
  #readAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  constructor(read: () => Promise<readonly Voice[]>, logger: Logger) {
    this.#read = read;
    this.#logger = logger;
  }

  /** Resolves once a list is there, however old. Never rejects: without one the names mean the edge's own voice. */
  async ready(): Promise<void> {
    if (performance.now() - this.#readAtMs < FRESH_MS) return;
    this.#reading ??= this.#readOn();
    if (this.#readAtMs === Number.NEGATIVE_INFINITY) await this.#reading;
  }

  /** The id of the voice; `undefined` is the edge's own. What is no name here is taken for an id. */
  toId(name: string): string | undefined {
    const own = this.#voices.find((voice) => voice.id === name || voice.name === name);
    if (own !== undefined) return own.id;
    const place = HABITUAL_VOICES.indexOf(name.toLowerCase());
    if (place < 0) return name;
    if (place === 0) return undefined;
    return this.#voices[place % Math.max(1, this.#voices.length)]?.id;
  }

  async #readOn(): Promise<void> {
    try {
      this.#voices = await this.#read();
    } catch (err) {
      this.#logger.debug({ err }, "voices could not be read");
    }
    this.#readAtMs = performance.now();
    this.#reading = undefined;
  }
}
