import type { Alignment, Word } from "@tts-labs/core/audio/alignment";
import type { Substitute } from "@tts-labs/core/session/entries";
import type { ServerMessageOf } from "@tts-labs/protocol/server-message";

export const toAlignmentMessage = (
  utteranceId: string,
  alignment: Alignment,
): ServerMessageOf<"alignment"> => ({
  type: "alignment",
  utterance_id: utteranceId,
  chars: [...alignment.chars],
  start_ms: [...alignment.startMs],
  duration_ms: [...alignment.durationMs],
});

/** @param replacesFromMs a splice: what was told to begin there or later is replaced */
export const toWordsMessage = (
  utteranceId: string,
  words: readonly Word[],
  replacesFromMs?: number,
): ServerMessageOf<"words"> => ({
  type: "words",
  utterance_id: utteranceId,
  ...(replacesFromMs === undefined ? {} : { replaces_from_ms: replacesFromMs }),
  words: words.map(({ text, startMs, endMs }) => ({ text, start_ms: startMs, end_ms: endMs })),
});

export const toSubstitutedMessage = (
  utteranceId: string,
  substitute: Substitute,
): ServerMessageOf<"substituted"> => ({ type: "substituted", utterance_id: utteranceId, ...substitute });
