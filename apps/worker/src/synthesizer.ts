import type { Alignment } from "@tts-labs/core/audio/alignment";
import type { GatewayError } from "@tts-labs/protocol/errors";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";

/**
 * The role of a provider: turns text into speech, one utterance at a time. A second provider is another
 * file that fills this role; nothing else changes.
 */
export interface Synthesizer {
  /** Name for clients and metrics, such as "elevenlabs". */
  readonly provider: string;
  /**
   * Makes ready to speak one utterance: a pre-warmed socket, or a fresh one.
   * @param keyId the provider key to use; without it the first one
   * @throws GatewayError `provider.*`, or the signal's reason
   */
  open(speech: SpeechOptions, signal: AbortSignal, keyId?: string): Promise<Synthesis>;
  /** Like `open`, but never a pre-warmed socket: for the one retry after a socket failed. */
  openFresh(speech: SpeechOptions, signal: AbortSignal, keyId?: string): Promise<Synthesis>;
  /** This route will be wanted soon. */
  prewarm(speech: SpeechOptions): void;
  /** Ends every run and socket. May be called twice. */
  close(): Promise<void>;
}

/** One utterance being spoken. The opener must iterate `events` to its end, or `abort`. */
export interface Synthesis {
  /** How the socket was had. */
  readonly opening: { readonly warm: boolean; readonly connectMs: number };
  /** Sends text on. Pieces are spoken as one text, joined as they are; empty ones are ignored. */
  speak(text: string): void;
  /** Speak what has been given so far, without waiting for more. */
  flush(): void;
  /** The text is complete. */
  end(): void;
  /** What the provider has still to send, as far as that can be known; absent: nothing but what comes. */
  readonly owed?: () => "nothing" | "first-audio" | "more-audio" | "final";
  /**
   * Audio as it comes, then the iteration ends: the provider has said "final". Pulled: while nothing is pulled,
   * at most a bounded number of bytes is held and the provider's socket is not read.
   * @throws GatewayError `provider.*` (truncated, silent, deadlines …), or the reason given to `abort`
   */
  readonly events: AsyncIterable<SynthesisAudio>;
  /**
   * Ends now: socket closed, queued audio discarded, `events` throws `reason`. May be called twice, also after the end.
   */
  abort(reason: GatewayError): void;
}

export interface SynthesisAudio {
  /** Whole samples, owned by the receiver. */
  readonly pcm: Buffer;
  /** On the clock of this run: 0 is its first sample. */
  readonly alignment?: Alignment;
}
