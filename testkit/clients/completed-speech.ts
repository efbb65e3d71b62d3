import type { SpeechEvent } from "@tts-labs/edge/delivery/speech-event";

/** The end of an utterance of which everything was sent; its figures are of no interest. */
export const COMPLETED: SpeechEvent = {
  kind: "ended",
  end: {
    kind: "completed",
    endedAt: "2026-11-27T12:00:00.000Z",
    samples: 0,
    durationMs: 0,
    frames: 0,
    droppedFrames: 0,
    splices: 0,
    replacedSamples: 0,
    characters: 9,
    firstAudioMs: null,
    latencyMs: {},
  },
};
