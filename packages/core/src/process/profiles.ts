/** Names that `TTS_PROFILE` takes. */
export const PROFILE_NAMES = ["none", "agent", "reader", "telephony"] as const;
export type ProfileName = (typeof PROFILE_NAMES)[number];

interface Profile {
  readonly about: string;
  /** What variables are without a value of their own, by their names, written as in the environment. */
  readonly values: Readonly<Record<string, string>>;
}

/** Settings that belong together. A variable that is set by itself is stronger. */
export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  none: { about: "Every variable has its own default.", values: {} },
  agent: {
    about:
      "Conversation with a language model: heard as soon as can be, interrupted often, and stale once its moment is over.",
    values: {
      TTS_NATURAL: "false",
      UTTERANCES_AHEAD: "1",
      SENTENCES_AHEAD: "2",
      POOL_WARM_SOCKETS: "5",
      FIRST_AUDIO_BUDGET_MS: "1500ms",
      SESSION_RESUME_WINDOW_MS: "15s",
      SLOW_CLIENT_NOTICE_MS: "2s",
      SLOW_CLIENT_MS: "10s",
    },
  },
  reader: {
    about:
      "Chapters and books: heard as one, made ahead, kept for the next listener, and resumed after a tunnel.",
    values: {
      TTS_NATURAL: "true",
      UTTERANCES_AHEAD: "3",
      SENTENCES_AHEAD: "5",
      SESSION_RESUME_WINDOW_MS: "5m",
      SLOW_CLIENT_MS: "2m",
      READER_TIMEOUT_MS: "15m",
      CACHE_TTL_MS: "30d",
    },
  },
  telephony: {
    about: "Telephone lines: 8 kHz in frames of 20 ms, whatever the distance.",
    values: {
      TTS_SAMPLE_RATE_HZ: "8000",
      FRAME_SAMPLES: "160",
      ADAPTIVE_FRAMES: "false",
      TTS_NATURAL: "false",
      UTTERANCES_AHEAD: "1",
      FIRST_AUDIO_BUDGET_MS: "1500ms",
      SLOW_CLIENT_MS: "10s",
    },
  },
};

export const isProfileName = (name: string | undefined): name is ProfileName =>
  PROFILE_NAMES.some((it) => it === name);
