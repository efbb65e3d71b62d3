import type { SpeechFigures } from "./speech.ts";
import type { TrackedWord } from "./words/word-track.ts";

/** What a test, or a curious person at the console, may read of the page. */
export interface PageState {
  readonly link: "connecting" | "open" | "reconnecting" | "away" | "refused";
  readonly activity: Activity;
  /** Of the current speech or, when it is over, the last one. */
  readonly figures: SpeechFigures;
  readonly words: readonly TrackedWord[];
  /** How the last speech ended: "completed", "cancelled", an error's code, or nothing yet. */
  readonly outcome: string | undefined;
}

export type Activity = "offline" | "idle" | "waiting" | "speaking";

export const NO_FIGURES: SpeechFigures = {
  receivedSamples: 0,
  playedSamples: 0,
  heardSamples: 0,
  heardMs: 0,
  receivedMs: 0,
  bufferedMs: 0,
  underruns: 0,
  firstAudioMs: null,
};

declare global {
  interface Window {
    ttsLabs?: { readonly state: () => PageState };
  }
}
