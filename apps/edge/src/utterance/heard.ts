import { samplesToMs } from "@tts-labs/protocol/audio/pcm";
import type { DeliveryTally } from "../delivery/tally.ts";
import type { HeardText } from "./heard-text.ts";

export interface Heard {
  readonly heardMs: number;
  readonly textHeard: string;
  readonly textLeft: string;
  readonly estimated: boolean;
}

/**
 * What the client has heard of an utterance when it cancels it. The truth is what its player has reported; where
 * it never has, it is taken to have played in real time since the first frame was sent, and no more than was sent.
 */
export function toHeard(of: {
  readonly tally: DeliveryTally;
  readonly text: string;
  readonly words: HeardText;
  readonly sampleRateHz: number;
  readonly totalSamples: number | undefined;
  /** Samples that an earlier connection had brought: played, as far as anybody knows. */
  readonly samplesBefore: number;
  readonly nowMs: number;
}): Heard {
  const { tally, text, words, sampleRateHz, totalSamples, samplesBefore, nowMs } = of;
  const { playedSamples, firstSentAtMs, sentSamples } = tally;
  const sentMs = samplesToMs(sentSamples, sampleRateHz);
  const beforeMs = samplesToMs(samplesBefore, sampleRateHz);
  const sinceMs = firstSentAtMs === undefined ? 0 : nowMs - firstSentAtMs;
  const heardMs =
    playedSamples === undefined
      ? Math.min(sentMs, beforeMs + sinceMs)
      : samplesToMs(playedSamples, sampleRateHz);
  const totalMs = totalSamples === undefined ? undefined : samplesToMs(totalSamples, sampleRateHz);
  const { textHeard, textLeft, isTimed } = words.cut(text, heardMs, totalMs);
  const isGuess = heardMs > 0 && (playedSamples === undefined || !isTimed);
  return { heardMs, textHeard, textLeft, estimated: isGuess };
}
