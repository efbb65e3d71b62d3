import type { AudioFrameHeader } from "@tts-labs/protocol/audio-frame";
import type { ServerMessageOf } from "@tts-labs/protocol/server-message";

/** A session's first utterance, "u", for tests that say themselves what their edge tells of it. */
export const STARTED: ServerMessageOf<"utterance_started"> = {
  type: "utterance_started",
  utterance_id: "u",
  utterance: 1,
  voice: "v",
  model: "m",
};

/** Of its first frame; more follow. */
export const HEADER: AudioFrameHeader = {
  utterance: 1,
  firstSample: 0,
  seq: 1,
  last: false,
  deflated: false,
  splice: false,
};

export const cancelledAfter = (sentSamples: number, playedSamples: number): ServerMessageOf<"cancelled"> => ({
  type: "cancelled",
  utterance_id: "u",
  utterance: 1,
  sent_samples: sentSamples,
  played_samples: playedSamples,
  heard_ms: 0,
  text_heard: "",
  text_left: "",
  estimated: false,
});
