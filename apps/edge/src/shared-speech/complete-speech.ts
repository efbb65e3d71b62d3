import type { Caption } from "@tts-labs/core/cache/packed-captions";
import type { Speech } from "@tts-labs/core/cache/stored-speech";
import { parseAudioEntry, samplesOf } from "@tts-labs/core/session/entries";
import { parseUtteranceResult } from "@tts-labs/core/session/utterance-result";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import type { SharedSpeech } from "./shared-speech.ts";

/**
 * What may be kept of an utterance: all of it, where it was spoken to its end, in one go, by the provider it was
 * asked of. `undefined` for everything else: failed, cancelled, with a sample missing, spliced together from two
 * runs, or spoken by a substitute.
 */
export function toCompleteSpeech(
  shared: SharedSpeech,
  { voice, sampleRateHz }: SpeechOptions,
  provider: string,
): Speech | undefined {
  if (shared.end?.kind !== "ended") return undefined;
  const result = parseUtteranceResult(shared.end.end.result);
  if (result.outcome.kind !== "completed" || result.provider !== provider) return undefined;
  const captions: Caption[] = [];
  const parts: Uint8Array[] = [];
  let samples = 0;
  for (const stored of shared.entries) {
    const entry = parseAudioEntry(stored);
    const { firstSample, pcm, alignment, splice, continuations = 0, substitute } = entry;
    if (splice === true || continuations > 0 || firstSample !== samples) return undefined;
    if (substitute !== undefined) return undefined;
    samples += samplesOf(entry);
    parts.push(pcm);
    if (alignment !== undefined) captions.push({ firstSample, alignment });
  }
  if (samples !== result.samples || samples === 0) return undefined;
  return { voice, sampleRateHz, characters: result.characters, pcm: Buffer.concat(parts), captions };
}
