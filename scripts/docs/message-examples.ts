import type { ClientMessage, ClientMessageType } from "@tts-labs/protocol/client-message";
import type { ListenMessageOf, ListenMessageType } from "@tts-labs/protocol/listen-message";
import type { ServerMessageOf, ServerMessageType } from "@tts-labs/protocol/server-message";

/**
 * One conversation, told message by message: at least one example of each type. Tests parse every one of
 * them with the schemas that the edge itself uses.
 */
type ClientExamples = {
  readonly [T in ClientMessageType]: readonly Extract<ClientMessage, { readonly type: T }>[];
};
type ServerExamples = { readonly [T in ServerMessageType]: readonly ServerMessageOf<T>[] };

const SESSION = "ses_b6n0c5pYQfOqJ2dW";
const TOKEN = "kq9vY4g0n3mC1xZ7r2bT8wLsE5uHaD6fJpKiVoQeRtM";
const UTTERANCE = "utt_Zk3nP0xWq8LrT1vY";

export const clientExamples: ClientExamples = {
  text: [
    { type: "text", text: "Guten Tag, ", voice: "simGermanAnna000000A", language: "de" },
    { type: "text", text: "wie geht es Ihnen?" },
    {
      type: "text",
      text: "A steady voice, a little slower.",
      voice_settings: { stability: 0.8, speed: 0.9 },
      seed: 7,
      end: true,
    },
  ],
  flush: [{ type: "flush" }],
  stream_end: [{ type: "stream_end" }],
  cancel: [{ type: "cancel" }, { type: "cancel", utterance_id: UTTERANCE }],
  prewarm: [
    { type: "prewarm", voice: "simGermanAnna000000A", language: "de" },
    { type: "prewarm", prewarm_id: "anna", voice: "simGermanAnna000000A" },
  ],
  resume: [
    {
      type: "resume",
      resume_token: TOKEN,
      utterance_id: UTTERANCE,
      epoch: "3f9aQ2-1",
      seq: 3,
      sample: 28_800,
    },
  ],
  authenticate: [{ type: "authenticate", token: TOKEN }],
  played: [{ type: "played", utterance_id: UTTERANCE, samples: 19_200 }],
  share: [{ type: "share" }],
  ping: [{ type: "ping", t: 1_763_800_000_000 }],
};

/** What both greetings of a session say. */
const GREETING = {
  type: "connected",
  time: "2026-11-22T10:15:30.000Z",
  encoding: "pcm_s16le",
  protocol: 1,
  session_id: SESSION,
  resume_token: TOKEN,
  provider: "elevenlabs",
  model: "eleven_flash_v2_5",
  voice: "simEnglishGrace0000A",
  sample_rate: 24_000,
  frame_samples: 960,
  adaptive_frames: true,
  delivery: "burst",
  overflow: "wait",
  sentence_cache: false,
} as const;

export const serverExamples: ServerExamples = {
  connected: [
    {
      ...GREETING,
      request_id: "req_4sX1bC9tLm0Q",
      resumed: false,
      utterances: [],
    },
    {
      ...GREETING,
      request_id: "req_8tK5wQ2nVd7R",
      resumed: true,
      utterances: [{ utterance_id: UTTERANCE, utterance: 1, text_characters: 29, text_complete: true }],
    },
  ],
  utterance_started: [
    {
      type: "utterance_started",
      utterance_id: UTTERANCE,
      utterance: 1,
      voice: "simGermanAnna000000A",
      model: "eleven_flash_v2_5",
    },
  ],
  alignment: [
    {
      type: "alignment",
      utterance_id: UTTERANCE,
      chars: ["T", "a", "g"],
      start_ms: [0, 70, 190],
      duration_ms: [70, 120, 90],
    },
  ],
  words: [{ type: "words", utterance_id: UTTERANCE, words: [{ text: "Tag", start_ms: 0, end_ms: 280 }] }],
  prewarmed: [
    {
      type: "prewarmed",
      prewarm_id: "anna",
      voice: "simGermanAnna000000A",
      model: "eleven_flash_v2_5",
      connect_ms: 182.4,
    },
  ],
  substituted: [
    {
      type: "substituted",
      utterance_id: UTTERANCE,
      voice: "simGermanAnna000000A",
      model: "eleven_multilingual_v2",
      provider: "fallback",
      reason: "provider.circuit_open",
    },
  ],
  frames_dropped: [{ type: "frames_dropped", utterance_id: UTTERANCE, frames: 4, samples: 3_840 }],
  slow_client: [{ type: "slow_client", waited_ms: 5_000, cut_off_in_ms: 25_000, queued_frames: 20 }],
  stream_complete: [
    {
      type: "stream_complete",
      time: "2026-11-22T10:15:33.000Z",
      utterance_id: UTTERANCE,
      utterance: 1,
      characters: 29,
      samples: 52_800,
      frames: 55,
      dropped_frames: 0,
      splices: 0,
      replaced_samples: 0,
      duration_ms: 2_200,
      first_audio_ms: 246,
      latency_ms: { queue: 1.4, slot: 0, connect: 0.1, provider: 241 },
    },
  ],
  cancelled: [
    {
      type: "cancelled",
      utterance_id: UTTERANCE,
      utterance: 1,
      sent_samples: 28_800,
      played_samples: 19_200,
      heard_ms: 800,
      text_heard: "Guten Tag, wie ",
      text_left: "geht es Ihnen?",
      estimated: false,
      first_audio_ms: 246,
      latency_ms: { queue: 1.4, slot: 0, connect: 0.1, provider: 241 },
    },
  ],
  error: [
    {
      type: "error",
      code: "protocol.invalid_message",
      message:
        'Not valid, field "text" of a "text" message: Invalid input: expected string, received number.',
      retryable: false,
      facts: { field: "text" },
    },
    {
      type: "error",
      code: "provider.overloaded",
      message: "The provider has too much to do.",
      retryable: true,
      retry_after_ms: 1_000,
      utterance_id: UTTERANCE,
      utterance: 1,
    },
  ],
  draining: [{ type: "draining", reconnect_in_ms: 1_250 }],
  shared: [
    {
      type: "shared",
      listener_token: "Zr1mQ8xk0PaTq3vJ9sLw2nYdHc6UeBfG.5vT0bXq1nKc7LwRzYp2uHdJe8sMfAg3oQi4xVtB6NyU",
    },
  ],
  pong: [{ type: "pong", t: 1_763_800_000_000 }],
};

type ListenExamples = { readonly [T in ListenMessageType]: readonly ListenMessageOf<T>[] };

export const listenExamples: ListenExamples = {
  listening: [
    {
      type: "listening",
      protocol: 1,
      session_id: SESSION,
      encoding: "pcm_s16le",
      sample_rate: 24_000,
      utterance: 3,
      request_id: "req_Rv6Wq0pLx3n8TzKd",
    },
  ],
  utterance_started: [{ type: "utterance_started", utterance: 4 }],
  words: [{ type: "words", utterance: 4, words: [{ text: "Guten", start_ms: 0, end_ms: 310 }] }],
  frames_dropped: [{ type: "frames_dropped", utterance: 4, samples: 1_920 }],
  utterance_ended: [{ type: "utterance_ended", utterance: 4, outcome: "completed" }],
  session_ended: [{ type: "session_ended" }],
  draining: [{ type: "draining", reconnect_in_ms: 800 }],
  error: [
    {
      type: "error",
      code: "authentication.invalid",
      message: "The token is not one of this session's listeners.",
      retryable: false,
    },
  ],
};
