import { AUDIO_FRAME_HEADER_BYTES, writeAudioFrameHeader } from "@tts-labs/protocol/audio-frame";
import { type ServerMessage, type ServerMessageOf, toErrorMessage } from "@tts-labs/protocol/server-message";
import type { FRAME_HEADROOM_BYTES, Frame } from "../../delivery/frame.ts";
import type { SlowClientNotice, SpeechEvent } from "../../delivery/speech-event.ts";
import type { CancelledUtterance } from "../../session/session.ts";

/** Names an utterance: `DeliveryTally` has both. */
export interface NamedUtterance {
  readonly utteranceId: string;
  /** In the session, from 1. */
  readonly number: number;
}

/** The native protocol's message for what an utterance has to say. */
export function encodeEvent(event: SpeechEvent, { utteranceId, number }: NamedUtterance): ServerMessage {
  switch (event.kind) {
    case "alignment":
      return {
        type: "alignment",
        utterance_id: utteranceId,
        chars: [...event.alignment.chars],
        start_ms: [...event.alignment.startMs],
        duration_ms: [...event.alignment.durationMs],
      };
    case "words":
      return {
        type: "words",
        utterance_id: utteranceId,
        ...(event.replacesFromMs === undefined ? {} : { replaces_from_ms: event.replacesFromMs }),
        words: event.words.map(({ text, startMs, endMs }) => ({ text, start_ms: startMs, end_ms: endMs })),
      };
    case "substituted":
      return { type: "substituted", utterance_id: utteranceId, ...event.substitute };
    case "dropped":
      return {
        type: "frames_dropped",
        utterance_id: utteranceId,
        frames: event.frames,
        samples: event.samples,
      };
    case "ended":
      return encodeEnd(event, { utteranceId, number });
  }
}

function encodeEnd(
  { end }: Extract<SpeechEvent, { kind: "ended" }>,
  { utteranceId, number }: NamedUtterance,
): ServerMessage {
  switch (end.kind) {
    case "completed":
      return {
        type: "stream_complete",
        time: end.endedAt,
        utterance_id: utteranceId,
        utterance: number,
        characters: end.characters,
        samples: end.samples,
        frames: end.frames,
        dropped_frames: end.droppedFrames,
        splices: end.splices,
        replaced_samples: end.replacedSamples,
        duration_ms: end.durationMs,
        first_audio_ms: end.firstAudioMs,
        latency_ms: end.latencyMs,
        ...(end.cache === undefined ? {} : { cache: end.cache }),
        ...(end.sentences === undefined ? {} : { sentences: end.sentences }),
      };
    case "failed":
      return toErrorMessage(end.error, { utterance_id: utteranceId, utterance: number });
    case "cancelled":
      return encodeCancelled({ utterance: { utteranceId, number }, heard: end });
  }
}

export const encodeCancelled = ({
  utterance,
  heard,
}: {
  readonly utterance: NamedUtterance;
  readonly heard: CancelledUtterance["heard"];
}): ServerMessageOf<"cancelled"> => ({
  type: "cancelled",
  utterance_id: utterance.utteranceId,
  utterance: utterance.number,
  sent_samples: heard.sentSamples,
  played_samples: heard.playedSamples,
  heard_ms: heard.heardMs,
  text_heard: heard.textHeard,
  text_left: heard.textLeft,
  estimated: heard.estimated,
  ...(heard.firstAudioMs === undefined ? {} : { first_audio_ms: heard.firstAudioMs }),
  ...(heard.latencyMs === undefined ? {} : { latency_ms: heard.latencyMs }),
});

export const encodeSlowClient = (notice: SlowClientNotice): ServerMessageOf<"slow_client"> => ({
  type: "slow_client",
  queued_frames: notice.queuedFrames,
  waited_ms: Math.round(notice.waitedMs),
  cut_off_in_ms: Math.round(notice.cutOffInMs),
});

/** Writes the header into the frame's headroom. @returns header and samples, a view */
export function encodeFrame(frame: Frame, utterance: number): Uint8Array<ArrayBuffer> {
  const { pcm, firstSample, seq, last, splice } = frame;
  const begin = pcm.byteOffset - AUDIO_FRAME_HEADER_BYTES;
  const message = new Uint8Array(pcm.buffer, begin, AUDIO_FRAME_HEADER_BYTES + pcm.byteLength);
  writeAudioFrameHeader(message, { utterance, firstSample, seq, last, deflated: false, splice });
  return message;
}

/** Fails to compile where the header does not fit into the headroom. */
AUDIO_FRAME_HEADER_BYTES satisfies typeof FRAME_HEADROOM_BYTES;
