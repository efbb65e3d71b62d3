import { parseSession, toUtteranceField } from "@tts-labs/core/session/session-fields";
import type { StoredUtterance } from "@tts-labs/core/session/session-store";
import type { UtteranceEnd } from "@tts-labs/core/session/utterance-end";
import { GatewayError } from "@tts-labs/protocol/errors";
import { describe, expect, test } from "vitest";

const COMPLETED: UtteranceEnd = {
  kind: "completed",
  endedAt: "2026-11-27T12:00:00.000Z",
  characters: 17,
  samples: 44_160,
  frames: 46,
  droppedFrames: 0,
  splices: 1,
  replacedSamples: 480,
  durationMs: 1_840,
  firstAudioMs: 246.5,
  latencyMs: { queue: 2, provider: 240 },
  cache: "miss",
  sentences: { hit: 1, joined: 0, miss: 2, off: 0 },
};
const CANCELLED: UtteranceEnd = {
  kind: "cancelled",
  sentSamples: 9_600,
  playedSamples: 4_800,
  heardMs: 200,
  textHeard: "Guten Tag,",
  textLeft: " wie geht es Ihnen?",
  estimated: false,
};
const TIMED = { firstAudioMs: 212, latencyMs: { queue: 2, provider: 200 } };
const FAILED: UtteranceEnd = {
  kind: "failed",
  error: new GatewayError("capacity.rate_limited", "Too many at once.", {
    retryAfterMs: 700,
    facts: { limit: 15 },
  }),
};

const utterance = (end: UtteranceEnd): StoredUtterance => ({
  utteranceId: "utt_1",
  number: 1,
  requested: {},
  createdAtMs: 1_000,
  end: { samples: 7, isTextOpen: true, end },
});

/** What is read of a record in which `value` stands for its one utterance. */
const read = (value: string) =>
  parseSession(
    "ses_1",
    new Map([
      ["about", JSON.stringify({ createdAtMs: 1, settings: {} })],
      ["u:1", value],
    ]),
  ).utterances[0];

const stored = (message: object) =>
  JSON.stringify({ ...utterance(CANCELLED), end: { samples: 7, isTextOpen: true, message } });

describe("how an utterance ended, in its session's record", () => {
  test.each([COMPLETED, CANCELLED, { ...CANCELLED, ...TIMED }, FAILED])(
    "is read as it was stored: $kind",
    (end) => {
      expect(read(toUtteranceField(utterance(end))[1])).toEqual(utterance(end));
    },
  );

  test("is read from the message that edges of the release before have stored", () => {
    const complete = {
      type: "stream_complete",
      time: "2026-11-27T12:00:00.000Z",
      utterance_id: "utt_1",
      utterance: 1,
      characters: 17,
      samples: 44_160,
      frames: 46,
      dropped_frames: 0,
      splices: 1,
      replaced_samples: 480,
      duration_ms: 1_840,
      first_audio_ms: 246.5,
      latency_ms: { queue: 2, provider: 240 },
      cache: "miss",
      sentences: { hit: 1, joined: 0, miss: 2, off: 0 },
    };
    const cancelled = {
      type: "cancelled",
      utterance_id: "utt_1",
      utterance: 1,
      sent_samples: 9_600,
      played_samples: 4_800,
      heard_ms: 200,
      text_heard: "Guten Tag,",
      text_left: " wie geht es Ihnen?",
      estimated: false,
    };
    const failed = {
      type: "error",
      code: "capacity.rate_limited",
      message: "Too many at once.",
      retryable: true,
      retry_after_ms: 700,
      facts: { limit: 15 },
      utterance_id: "utt_1",
      utterance: 1,
    };
    expect(read(stored(complete))).toEqual(utterance(COMPLETED));
    expect(read(stored(cancelled))).toEqual(utterance(CANCELLED));
    expect(read(stored(failed))).toEqual(utterance(FAILED));
  });

  test("that no edge has stored makes the session unknown, and is not passed on to a client", () => {
    expect(() => read(stored({ type: "pong" }))).toThrow(
      expect.objectContaining({ code: "session.unknown" }) as Error,
    );
    expect(() => read(stored({ type: "error", code: "no.such", message: "?", retryable: true }))).toThrow(
      expect.objectContaining({ code: "session.unknown" }) as Error,
    );
  });
});
