import { GatewayError } from "@tts-labs/protocol/errors";
import type { RunAttempts } from "./attempts.ts";
import type { AudioWriter } from "./audio/audio-writer.ts";
import type { RunState } from "./run-state.ts";
import type { TextFeed } from "./text/text-feed.ts";

/** Looks per limit: how late an idle utterance is noticed. */
const LOOKS_PER_LIMIT = 4;
/** What is still owed after so long a silence, while the client gives no more, is not waited for; ms. */
const SILENCE_MS = 10_000;

export interface IdleWatchOptions {
  /** Time without text after which an utterance gives its place up; 0: never. */
  readonly limitMs: number;
  readonly feed: TextFeed;
  readonly audio: AudioWriter;
  /** The place in the text where it goes on while nothing has been stored here. */
  readonly startChar: number;
  readonly state: () => RunState;
  readonly attempts: () => RunAttempts | undefined;
  /** Leaves until there is more text. @returns false where there is already @throws as `StreamWriter.park` */
  readonly park: () => Promise<boolean>;
  /** It has been left; or that is not known, and nothing may go on here. */
  readonly onParked: (error: GatewayError | undefined) => void;
}

/**
 * An utterance whose client gives no text, and of which nothing is owed, holds a worker's place, a provider socket and
 * one of its slots for nothing. It is left then: with more text its edge asks for a worker again, which goes on at the
 * next word.
 * @returns what ends the watch
 */
export function watchIdle(options: IdleWatchOptions): () => void {
  const { limitMs } = options;
  if (limitMs === 0) return () => {};
  let isLeaving = false;
  const look = async () => {
    if (isLeaving || !isIdle(options)) return;
    isLeaving = true;
    try {
      if (await options.park()) options.onParked(undefined);
      else isLeaving = false;
    } catch (error) {
      options.onParked(
        error instanceof GatewayError
          ? error
          : new GatewayError("storage.unavailable", undefined, { cause: error }),
      );
    }
  };
  const timer = setInterval(() => void look(), limitMs / LOOKS_PER_LIMIT);
  return () => clearInterval(timer);
}

function isIdle({ limitMs, feed, audio, startChar, state, attempts }: IdleWatchOptions): boolean {
  const { kind } = state();
  if (feed.complete || feed.idleMs < limitMs) return false;
  if (kind === "speaking") {
    const owed = attempts()?.owed ?? "nothing";
    if (owed === "first-audio" || owed === "final") return false;
    return audio.quietMs >= (owed === "nothing" ? limitMs / 2 : Math.max(limitMs, SILENCE_MS));
  }
  const waitsForText = kind === "starting" || kind === "waiting-socket";
  return waitsForText && !feed.hasWordsFrom(audio.resume?.char ?? startChar);
}
