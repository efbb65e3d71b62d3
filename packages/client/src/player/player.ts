import { SpeechError } from "../speech-error.ts";
import type { Utterance } from "../utterance.ts";
import { Playback } from "./playback.ts";
import { PROCESSOR_NAME } from "./processor-name.ts";
import type { LineLimits } from "./voice-line.ts";

export interface PlayerOptions {
  /**
   * Where the worklet is served: the file `@tts-labs/client/worklet.js`. By default it is looked for beside the player,
   * where bundlers that know `new URL(…, import.meta.url)` put it, and a page without a bundler has it.
   */
  readonly workletUrl?: string | URL;
  /** The session's sample rate; the audio is never resampled on the way. */
  readonly sampleRateHz?: number;
  /**
   * Audio that may wait to be heard: by default 10 minutes (29 MB at 24 kHz), since a burst arrives long before
   * it is played and a WebSocket can't be told to wait. For more, connect with `delivery: "paced"`.
   */
  readonly maxBufferedMs?: number;
  /** Audio that must wait before playing begins; one frame by default. */
  readonly startMs?: number;
}

/** A stopped voice fades out in this time: too short to be heard, long enough not to click. */
const FADE_MS = 8;

/**
 * Plays utterances without a gap, one at a time. Open it in answer to a click or a key: browsers keep an
 * AudioContext silent until then.
 */
export class Player {
  readonly context: AudioContext;
  /** For drawing what is heard. */
  readonly analyser: AnalyserNode;
  readonly #node: AudioWorkletNode;
  #takes = 0;
  #current: Playback | undefined;

  /** @throws SpeechError `client.player_failed`; `client.connect_failed` where the worklet can't be fetched */
  static async open(options: PlayerOptions = {}): Promise<Player> {
    const { sampleRateHz = 24_000, maxBufferedMs = 600_000, startMs = 40 } = options;
    const samples = (ms: number) => Math.round((ms * sampleRateHz) / 1000);
    let context: AudioContext | undefined;
    try {
      context = new AudioContext({ sampleRate: sampleRateHz, latencyHint: "interactive" });
      // This is not awaited: it resolves only when the browser allows sound.
      context.resume().catch(() => {});
      await context.audioWorklet.addModule(String(options.workletUrl ?? ownWorklet()));
      return new Player(context, {
        startSamples: samples(startMs),
        maxSamples: samples(maxBufferedMs),
        fadeSamples: samples(FADE_MS),
      });
    } catch (cause) {
      await context?.close().catch(() => {});
      if (cause instanceof SpeechError) throw cause;
      // A worklet that could not be fetched says nothing about what the browser can do.
      const isUnreachable = cause instanceof DOMException && cause.name === "AbortError";
      throw isUnreachable
        ? new SpeechError("client.connect_failed", "The player could not be loaded from the server.", {
            cause,
          })
        : new SpeechError("client.player_failed", undefined, { cause });
    }
  }

  private constructor(context: AudioContext, limits: LineLimits) {
    this.context = context;
    this.#node = new AudioWorkletNode(context, PROCESSOR_NAME, {
      numberOfInputs: 0,
      numberOfOutputs: 1,
      outputChannelCount: [1],
      processorOptions: limits,
    });
    this.analyser = new AnalyserNode(context, { fftSize: 1024, smoothingTimeConstant: 0.6 });
    this.#node.connect(this.analyser).connect(context.destination);
  }

  /** Plays `utterance` from its beginning; what was playing stops. Call it before any of its audio has come. */
  play(utterance: Utterance): Playback {
    this.#current?.stop();
    this.context.resume().catch(() => {});
    const playback = new Playback(this.context, this.#node.port, ++this.#takes, utterance);
    this.#current = playback;
    return playback;
  }

  /** Silence, and the device given back. May be called twice. */
  async close(): Promise<void> {
    this.#current?.abandon();
    this.#node.disconnect();
    if (this.context.state !== "closed") await this.context.close();
  }
}

/** Bundlers look for this very expression. In CommonJS there is no such address. */
function ownWorklet(): URL {
  try {
    return new URL("./worklet.js", import.meta.url);
  } catch (cause) {
    const message =
      "Where is the worklet? Serve @tts-labs/client/worklet.js, and give its address as workletUrl.";
    throw new SpeechError("client.player_failed", message, { cause });
  }
}
