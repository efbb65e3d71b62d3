import { BYTES_PER_SAMPLE, samplesToMs } from "@tts-labs/protocol/audio/pcm";
import type { Timed } from "../run-clock.ts";

/** Rates in Hz at which a provider makes PCM (docs/provider.md). */
const PCM_RATES_HZ = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000] as const;
/** µ-law and A-law have one byte a sample, at 8 kHz. */
const BYTE_A_SAMPLE_HZ = 4_000;
/** Before so much timed speech the paces say nothing. */
const MEASURABLE_MS = 2_000;
/** Times of slower speech than this are no measure: a character of Chinese takes some 250 ms. */
const SLOWEST_CHARACTER_MS = 400;
/** Of the pace looked for; times and audio of one message differ by up to 36 ms. */
const LEEWAY = 0.06;
/** Paces so near to 1 are the right one's: nothing is concluded from them. */
const [SLOWEST, FASTEST] = [0.8, 1.25];
/** A pause that no characters need account for. */
const PAUSE_MS = 150;
/** Right audio without its pauses lasts no longer than its characters are said to take. */
const SPOKEN_TOO_SLOWLY = 0.92;
const WINDOW_MS = 10;
/** Peak of a window that counts as silence. */
const SILENCE = 200;

/**
 * Tells audio of another format by its pace: what the characters are said to take, against what the bytes last when
 * read as PCM of the rate asked for. 16 kHz sent for 24 makes speech 1.5 times as fast as its times. Only the paces of
 * formats that a provider has count, so that bad times alone are no bad audio.
 */
export class SoundPace {
  readonly #sampleRateHz: number;
  readonly #paces: readonly number[];
  /** Timed speech, and all audio from its message to the next timed one: complete pairs only. */
  #timedMs = 0;
  #characters = 0;
  #lastedMs = 0;
  /** The pair that is not complete yet. */
  #openTimedMs = 0;
  #openLastedMs = 0;
  /** Timed speech, and the audio of its own message, pauses included. */
  #ownTimedMs = 0;
  #ownLastedMs = 0;
  #ownPausesMs = 0;

  constructor(sampleRateHz: number) {
    this.#sampleRateHz = sampleRateHz;
    this.#paces = [...PCM_RATES_HZ, BYTE_A_SAMPLE_HZ]
      .map((rateHz) => sampleRateHz / rateHz)
      .filter((pace) => pace <= SLOWEST || pace >= FASTEST);
  }

  /** @param timed the characters that came with `pcm` @returns whether the format is wrong */
  isWrongAfter({ characters, ms: timedMs }: Timed, pcm: Buffer): boolean {
    const lastedMs = samplesToMs(pcm.length / BYTES_PER_SAMPLE, this.#sampleRateHz);
    let isWrong = false;
    if (timedMs > 0) {
      isWrong = this.isWrongAtEnd();
      if (pcm.length > 0) {
        this.#ownTimedMs += timedMs;
        this.#ownLastedMs += lastedMs;
        this.#ownPausesMs += pausesMs(pcm, this.#sampleRateHz);
      }
      const spokenMs = this.#ownLastedMs - this.#ownPausesMs;
      const isSlow = this.#ownTimedMs < spokenMs * SPOKEN_TOO_SLOWLY;
      isWrong ||= isSlow && this.#isOfOtherFormat(this.#ownTimedMs, this.#ownLastedMs);
    }
    this.#characters += characters;
    this.#openTimedMs += timedMs;
    this.#openLastedMs += lastedMs;
    return isWrong;
  }

  /** When all audio of the characters told so far is here. */
  isWrongAtEnd(): boolean {
    this.#timedMs += this.#openTimedMs;
    this.#lastedMs += this.#openLastedMs;
    this.#openTimedMs = 0;
    this.#openLastedMs = 0;
    return this.#timedMs > this.#lastedMs && this.#isOfOtherFormat(this.#timedMs, this.#lastedMs);
  }

  #isOfOtherFormat(timedMs: number, lastedMs: number): boolean {
    if (Math.max(timedMs, lastedMs) < MEASURABLE_MS || Math.min(timedMs, lastedMs) <= 0) return false;
    if (timedMs > this.#characters * SLOWEST_CHARACTER_MS) return false;
    const pace = timedMs / lastedMs;
    return this.#paces.some((other) => Math.abs(pace / other - 1) <= LEEWAY);
  }
}

function pausesMs(pcm: Buffer, sampleRateHz: number): number {
  const windowBytes = Math.round((sampleRateHz * WINDOW_MS) / 1_000) * BYTES_PER_SAMPLE;
  let sumMs = 0;
  let runMs = 0;
  for (let at = 0; at + windowBytes <= pcm.length; at += windowBytes) {
    if (isSilent(pcm, at, at + windowBytes)) runMs += WINDOW_MS;
    else {
      if (runMs > PAUSE_MS) sumMs += runMs;
      runMs = 0;
    }
  }
  return sumMs + (runMs > PAUSE_MS ? runMs : 0);
}

function isSilent(pcm: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at += BYTES_PER_SAMPLE) {
    if (Math.abs(pcm.readInt16LE(at)) > SILENCE) return false;
  }
  return true;
}
