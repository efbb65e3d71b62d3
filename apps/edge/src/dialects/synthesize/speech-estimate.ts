import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";

/** Letters per second of a quick speaker at normal speed: usual speech has 13 to 16. */
const LETTERS_PER_SECOND = 17;
/** One character of these scripts takes as long as so many letters. */
const SYLLABLE_LETTERS = 3.5;
const SYLLABLES = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/gu;
/**
 * What is let through may be spoken slower than that, and is answered all the same up to this multiple of the limit.
 */
export const ESTIMATE_SLACK = 2;

/** Bytes of PCM that `text` takes when it is spoken quickly. */
export function estimateSpeechBytes(text: string, sampleRateHz: number, speed = 1): number {
  const syllables = text.match(SYLLABLES)?.length ?? 0;
  const letters = text.replace(/\s+/g, " ").length + syllables * (SYLLABLE_LETTERS - 1);
  return Math.ceil((letters / (LETTERS_PER_SECOND * Math.max(1, speed))) * sampleRateHz) * BYTES_PER_SAMPLE;
}
