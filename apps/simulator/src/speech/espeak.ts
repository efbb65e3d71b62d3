import load, {
  type EspeakEvent,
  type EspeakModule,
  type EspeakWorker,
} from "@echogarden/espeak-ng-emscripten";

/** How the engine is to speak; part of what makes a rendering the same. */
export interface SpeechParameters {
  /** espeak's voice and variant, such as "en-us+f3". */
  readonly espeakVoice: string;
  /** Words per minute as espeak counts them. */
  readonly rate: number;
  /** 0–99. */
  readonly pitch: number;
  /** 0–99: how far the pitch moves. */
  readonly range: number;
  /** 0–100. */
  readonly volume: number;
}

export interface EspeakSpeech {
  /** Mono, 22,050 Hz. */
  readonly samples: Int16Array;
  readonly events: readonly EspeakEvent[];
}

export const ESPEAK_SAMPLE_RATE_HZ = 22_050;

/** Longest text the engine is given at once; see `prime`. */
export const MAX_ESPEAK_CHARACTERS = 1_000;

/**
 * The engine, made deterministic.
 *
 * espeak carries state from one synthesis to the next (phase, flutter, noise), so that the same text never
 * sounds twice the same. After loading, its whole memory (17 MB) is remembered, and put back before each
 * synthesis: 1.6 ms, and the same text gives the same samples. What lives outside that memory must not depend
 * on the texts: the binding's string buffer grows with the longest text it has seen, so it is made to grow
 * once, before the memory is remembered.
 */
export class Espeak {
  readonly #module: EspeakModule;
  readonly #worker: EspeakWorker;
  readonly #remembered: Uint8Array;

  private constructor(module: EspeakModule) {
    this.#module = module;
    this.#worker = new module.eSpeakNGWorker();
    this.#prime();
    this.#remembered = module.HEAPU8.slice();
  }

  /**
   * espeak seeds its noise with the time of day at which it starts; the clock of this thread stands still
   * meanwhile, so that every process renders the same samples.
   */
  static async load(): Promise<Espeak> {
    const clock = Date.now;
    Date.now = () => 0;
    try {
      return new Espeak(await load());
    } finally {
      Date.now = clock;
    }
  }

  speak(text: string, { espeakVoice, rate, pitch, range, volume }: SpeechParameters): EspeakSpeech {
    if (text.length > MAX_ESPEAK_CHARACTERS) {
      throw new RangeError(`text of ${text.length} characters is longer than ${MAX_ESPEAK_CHARACTERS}`);
    }
    this.#module.HEAPU8.set(this.#remembered);
    this.#module.HEAPU8.fill(0, this.#remembered.length);
    const worker = this.#worker;
    worker.set_voice(espeakVoice);
    worker.set_rate(rate);
    worker.set_pitch(pitch);
    worker.set_range(range);
    worker.set_volume(volume);
    const chunks: Int16Array[] = [];
    const events: EspeakEvent[] = [];
    worker.synthesize(text, (samples, news) => {
      if (samples !== null && samples.length > 0) chunks.push(samples.slice());
      for (const event of news ?? []) events.push(event);
      return false;
    });
    const samples = new Int16Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      samples.set(chunk, at);
      at += chunk.length;
    }
    return { samples, events };
  }

  /** Four bytes of UTF-8 per character, the most there can be. */
  #prime(): void {
    this.#worker.set_voice("en-us");
    this.#worker.synthesize("word ".repeat(MAX_ESPEAK_CHARACTERS), () => true);
  }
}
