// Written by scripts/generate-docs.ts from the schemas of client-message.ts and server-message.ts.
// The client library is made of these types, so that neither its code nor its declarations need zod.

/** Stable: clients may switch on it. `docs/errors.md` says what each means. */
export type ErrorCode =
  | "protocol.invalid_json"
  | "protocol.invalid_utf8"
  | "protocol.invalid_message"
  | "protocol.unknown_type"
  | "protocol.wrong_state"
  | "protocol.unexpected_binary"
  | "protocol.message_too_large"
  | "protocol.unsupported_media_type"
  | "protocol.not_acceptable"
  | "protocol.not_found"
  | "protocol.method_not_allowed"
  | "protocol.idempotency_conflict"
  | "protocol.idempotency_spent"
  | "protocol.too_many_errors"
  | "authentication.missing"
  | "authentication.invalid"
  | "authentication.revoked"
  | "authentication.forbidden"
  | "authentication.origin_refused"
  | "authentication.host_refused"
  | "capacity.text_too_long"
  | "capacity.too_many_utterances"
  | "capacity.too_many_sessions"
  | "capacity.overloaded"
  | "capacity.rate_limited"
  | "capacity.tenant_limit"
  | "capacity.too_many_connections"
  | "capacity.too_many_listeners"
  | "capacity.slow_client"
  | "capacity.slot_timeout"
  | "session.superseded"
  | "session.held"
  | "session.unknown"
  | "session.position_gone"
  | "session.idle"
  | "session.expired"
  | "session.text_timeout"
  | "stream.lost"
  | "stream.reader_gone"
  | "lease.lost"
  | "provider.connect_timeout"
  | "provider.connect_failed"
  | "provider.refused"
  | "provider.first_audio_timeout"
  | "provider.gap_timeout"
  | "provider.final_timeout"
  | "provider.truncated"
  | "provider.silent"
  | "provider.wrong_format"
  | "provider.too_much_audio"
  | "provider.unresponsive"
  | "provider.invalid_key"
  | "provider.quota_exceeded"
  | "provider.voice_not_found"
  | "provider.unsupported_model"
  | "provider.invalid_request"
  | "provider.overloaded"
  | "provider.idle_closed"
  | "provider.fault"
  | "provider.circuit_open"
  | "storage.unavailable"
  | "storage.timeout"
  | "storage.full"
  | "storage.read_only"
  | "storage.disk_failed"
  | "storage.loading"
  | "worker.unavailable"
  | "cancelled.by_client"
  | "cancelled.client_gone"
  | "draining"
  | "config.invalid"
  | "internal";

/** What a client sends, by `type`. */
export interface ClientMessages {
  /** Speak this. Opens an utterance when none is open; the options count only then. */
  readonly text: {
    type: "text";
    text: string;
    /** The text is complete with this, as if `stream_end` followed: a whole sentence is found sooner. */
    end?: boolean | undefined;
    voice?: string | undefined;
    model?: string | undefined;
    /** ISO 639-1, or `fil` for Filipino, which has no code of two letters. */
    language?: string | undefined;
    voice_settings?:
      | {
          stability?: number | undefined;
          similarity_boost?: number | undefined;
          style?: number | undefined;
          use_speaker_boost?: boolean | undefined;
          speed?: number | undefined;
        }
      | undefined;
    /** Characters to gather before the 1st, 2nd, … generation. */
    chunk_length_schedule?: number[] | undefined;
    /** Each text message is spoken by itself, at once: for whole sentences only. */
    auto_mode?: boolean | undefined;
    seed?: number | undefined;
    text_normalization?: "auto" | "on" | "off" | undefined;
    /** Text is normalized by the rules of its language, which takes long; Japanese only. */
    language_text_normalization?: boolean | undefined;
    /** Dictionaries of the provider's account, in the order in which they apply. */
    pronunciation_dictionaries?:
      | {
          pronunciation_dictionary_id: string;
          version_id?: string | undefined;
        }[]
      | undefined;
    /**
     * Tags of SSML in the text are obeyed. Send a tag in one message, since one that is parted is read aloud.
     */
    ssml?: boolean | undefined;
    /** false: the provider is asked to keep nothing of it, and it is neither cached nor shared here. */
    logging?: boolean | undefined;
    /**
     * true: the first sentence of a text that comes in pieces is spoken as one, once it is complete; false:
     * its first clause is spoken as soon as it is there. Makes no difference where the text is complete at
     * once.
     */
    natural?: boolean | undefined;
  };
  /** Speak what has been sent so far, without waiting for more. */
  readonly flush: {
    type: "flush";
  };
  /** The open utterance's text is complete. */
  readonly stream_end: {
    type: "stream_end";
  };
  /** Stop speaking: the named utterance, or every unfinished one. */
  readonly cancel: {
    type: "cancel";
    utterance_id?: string | undefined;
  };
  /**
   * Speech with these options will be wanted soon. Answered by `prewarmed` once it will find a connection
   * ready, or by an `error`.
   */
  readonly prewarm: {
    type: "prewarm";
    /** Comes back with the answer. */
    prewarm_id?: string | undefined;
    voice?: string | undefined;
    model?: string | undefined;
    /** ISO 639-1, or `fil` for Filipino, which has no code of two letters. */
    language?: string | undefined;
    voice_settings?:
      | {
          stability?: number | undefined;
          similarity_boost?: number | undefined;
          style?: number | undefined;
          use_speaker_boost?: boolean | undefined;
          speed?: number | undefined;
        }
      | undefined;
    /** Characters to gather before the 1st, 2nd, … generation. */
    chunk_length_schedule?: number[] | undefined;
    /** Each text message is spoken by itself, at once: for whole sentences only. */
    auto_mode?: boolean | undefined;
    seed?: number | undefined;
    text_normalization?: "auto" | "on" | "off" | undefined;
    /** Text is normalized by the rules of its language, which takes long; Japanese only. */
    language_text_normalization?: boolean | undefined;
    /** Dictionaries of the provider's account, in the order in which they apply. */
    pronunciation_dictionaries?:
      | {
          pronunciation_dictionary_id: string;
          version_id?: string | undefined;
        }[]
      | undefined;
    /**
     * Tags of SSML in the text are obeyed. Send a tag in one message, since one that is parted is read aloud.
     */
    ssml?: boolean | undefined;
    /** false: the provider is asked to keep nothing of it, and it is neither cached nor shared here. */
    logging?: boolean | undefined;
    /**
     * true: the first sentence of a text that comes in pieces is spoken as one, once it is complete; false:
     * its first clause is spoken as soon as it is there. Makes no difference where the text is complete at
     * once.
     */
    natural?: boolean | undefined;
  };
  /**
   * Go on where an earlier connection was cut. First message of a connection opened with `resume=true`,
   * within 5 s. The position is that of the utterance being received: all earlier ones are held, nothing of
   * later ones; none: nothing is held.
   */
  readonly resume: {
    type: "resume";
    /** As given by `connected`. */
    resume_token: string;
    utterance_id?: string | undefined;
    /** The life of the stream that `seq` belongs to. */
    epoch?: string | undefined;
    /** Last entry held, from the audio frames' header. */
    seq?: number | undefined;
    /** First sample that is still missing. */
    sample?: number | undefined;
  };
  /**
   * First message of a connection that was opened without credentials to an edge that asks for them, within 5
   * s. `connected` answers it; with `resume=true`, `resume` follows it.
   */
  readonly authenticate: {
    type: "authenticate";
    /** As given by `POST /api/v1/tokens`; it is spent by this. */
    token: string;
  };
  /** How far the player has come. */
  readonly played: {
    type: "played";
    utterance_id: string;
    /** Samples played so far, from the start of the utterance. */
    samples: number;
  };
  /** Let others hear what this session speaks: answered by `shared` with a token for them. */
  readonly share: {
    type: "share";
  };
  /** Answered by `pong` with the same `t`. */
  readonly ping: {
    type: "ping";
    /** Anything, such as the client's clock. */
    t?: number | undefined;
  };
}

export type ClientMessageType = keyof ClientMessages;
export type ClientMessageOf<T extends ClientMessageType> = ClientMessages[T];
export type ClientMessage = ClientMessages[ClientMessageType];

/** What an edge sends, by `type`. */
export interface ServerMessages {
  /** First message of every connection. */
  readonly connected: {
    type: "connected";
    protocol: 1;
    session_id: string;
    /**
     * Secret; lets this session be resumed on any edge, unless the client itself closed the connection with
     * 1000.
     */
    resume_token: string;
    provider: string;
    model: string;
    voice: string;
    /** The server's clock. */
    time: string;
    /** Of all audio, mono: signed 16-bit samples, little-endian, or one byte per sample by G.711. */
    encoding: "pcm_s16le" | "mulaw" | "alaw";
    /** true: frames that get smaller by it are deflated, as a flag of each says. Absent: none is. */
    deflate?: boolean | undefined;
    /** Hz. */
    sample_rate: number;
    /** Samples of one audio frame; the last one of an utterance may be shorter. */
    frame_samples: number;
    /** Frames begin with `frame_samples` and then change their size with the round trip. */
    adaptive_frames: boolean;
    delivery: "burst" | "paced";
    overflow: "wait" | "drop-oldest";
    /** Text is spoken sentence by sentence; false where it was not asked for, or nothing is cached. */
    sentence_cache: boolean;
    /** Names this connection in the logs of every process. */
    request_id: string;
    /** This connection goes on with the session of an earlier one. */
    resumed: boolean;
    /** The unfinished utterances of a resumed session, in order; what is not here never arrived. */
    utterances: {
      utterance_id: string;
      utterance: number;
      /** UTF-16 code units of the utterance's text that are held safely; send again what comes after. */
      text_characters: number;
      /** Its `stream_end` is held too. */
      text_complete: boolean;
    }[];
  };
  /** An utterance was opened. */
  readonly utterance_started: {
    type: "utterance_started";
    utterance_id: string;
    /** Number in the session, from 1; stands in the header of its audio frames. */
    utterance: number;
    voice: string;
    model: string;
  };
  /** Characters with their times, on the utterance's own clock. */
  readonly alignment: {
    type: "alignment";
    utterance_id: string;
    chars: string[];
    start_ms: number[];
    duration_ms: number[];
  };
  /**
   * Words derived from the alignment, each sent when it is complete. A word that begins before an earlier one
   * has ended comes from a splice: it and what follows stand instead of that one and what followed it.
   */
  readonly words: {
    type: "words";
    utterance_id: string;
    words: {
      text: string;
      start_ms: number;
      end_ms: number;
    }[];
    /** Behind a splice: words told before that begin here or later are no longer true. */
    replaces_from_ms?: number | undefined;
  };
  /**
   * The answer to `prewarm`: a connection to the provider is ready. Where it can't be had, an `error` says
   * why, with `facts.prewarm_id`.
   */
  readonly prewarmed: {
    type: "prewarmed";
    /** As the `prewarm` named itself. */
    prewarm_id?: string | undefined;
    voice: string;
    model: string;
    /** How long it took to connect to the provider: what speech with these options is spared. */
    connect_ms: number;
  };
  /**
   * The rest of the utterance, or with `sentence_cache` of the sentence, is spoken by this voice and model,
   * since the first choice failed. Comes before the first frame of it, and again on a connection that resumes
   * within it.
   */
  readonly substituted: {
    type: "substituted";
    utterance_id: string;
    voice: string;
    model: string;
    /** Another provider than `connected` names; else absent. */
    provider?: string | undefined;
    /** What the first choice failed with. */
    reason: ErrorCode;
  };
  /**
   * With `overflow=drop-oldest`: this many frames of the utterance were dropped since the last such message.
   */
  readonly frames_dropped: {
    type: "frames_dropped";
    utterance_id: string;
    frames: number;
    samples: number;
  };
  /**
   * The client reads too slowly: what waits for it stands still. Sent once per standstill; it arrives when
   * the client reads on.
   */
  readonly slow_client: {
    type: "slow_client";
    /** The client has taken nothing for so long. */
    waited_ms: number;
    /** Goes on like this, and the edge closes with 4002. */
    cut_off_in_ms: number;
    /** Frames that wait at the edge, beyond what the socket holds. */
    queued_frames: number;
  };
  /** The utterance is complete and all its audio has been sent. */
  readonly stream_complete: {
    type: "stream_complete";
    /** The server's clock. */
    time: string;
    utterance_id: string;
    utterance: number;
    characters: number;
    samples: number;
    frames: number;
    dropped_frames: number;
    /** How often its audio went on anew at a word, after a provider socket or a worker had failed. */
    splices: number;
    /** Samples sent and then replaced by a splice; not in `samples`. */
    replaced_samples: number;
    duration_ms: number;
    /** Opening of the utterance to its first audio frame; null where there was no audio. */
    first_audio_ms: number | null;
    /** The parts of `first_audio_ms` that are known, by name. */
    latency_ms: Record<string, number>;
    /**
     * hit: it had been spoken before; joined: another utterance was just saying the same; miss: it was
     * spoken; off: the cache was not asked, as for text that came in pieces. With `sentence_cache`, of all
     * sentences: miss where one was spoken for this utterance.
     */
    cache?: "hit" | "joined" | "miss" | "off" | undefined;
    /**
     * With `sentence_cache`: the sentences read over this connection, by what the cache had to do with each.
     */
    sentences?:
      | {
          hit: number;
          joined: number;
          miss: number;
          off: number;
        }
      | undefined;
  };
  /** The utterance was cancelled; nothing more of it will be sent. */
  readonly cancelled: {
    type: "cancelled";
    utterance_id: string;
    utterance: number;
    /** Samples the edge had sent. */
    sent_samples: number;
    /** Samples the player has reported as played. */
    played_samples: number;
    /**
     * `played_samples` in milliseconds; where `played` was never reported, the time since the first frame, at
     * most what was sent.
     */
    heard_ms: number;
    /** The utterance's text up to the last word whose beginning was played, that word included. */
    text_heard: string;
    /** The rest: both together are the text as it was sent. */
    text_left: string;
    /** The cut is a guess: the provider gave no times, or `played` was never reported. */
    estimated: boolean;
    /** As in `stream_complete`: null where no audio had come before the cancel. */
    first_audio_ms?: number | null | undefined;
    /** The parts of `first_audio_ms` that are known, by name. */
    latency_ms?: Record<string, number> | undefined;
  };
  /**
   * A typed error; with `utterance_id` it ended that utterance, without it concerns the message or the
   * connection.
   */
  readonly error: {
    type: "error";
    /** See errors.md. */
    code: ErrorCode;
    /** For people; may change. */
    message: string;
    /** May the same request succeed later, or elsewhere, unchanged? */
    retryable: boolean;
    retry_after_ms?: number | undefined;
    utterance_id?: string | undefined;
    utterance?: number | undefined;
    facts?: Record<string, string | number | boolean> | undefined;
  };
  /**
   * This edge is going away. Delivery goes on until the client has left; at its deadline the edge closes with
   * 4001.
   */
  readonly draining: {
    type: "draining";
    /**
     * Reconnect with `resume` after this time; it differs from session to session, so that not all come at
     * once.
     */
    reconnect_in_ms: number;
  };
  /**
   * The answer to `share`. Listeners connect to `/api/v1/listen?session_id=…&token=…`, and hear what is
   * spoken from now on.
   */
  readonly shared: {
    type: "shared";
    /** Secret; lets any number of listeners in, on any edge, for as long as the session lives. */
    listener_token: string;
  };
  /** The answer to `ping`. */
  readonly pong: {
    type: "pong";
    t?: number | undefined;
  };
}

export type ServerMessageType = keyof ServerMessages;
export type ServerMessageOf<T extends ServerMessageType> = ServerMessages[T];
export type ServerMessage = ServerMessages[ServerMessageType];
