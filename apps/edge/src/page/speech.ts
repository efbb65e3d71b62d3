import type { Playback } from "@tts-labs/client/player/playback";
import type { Player } from "@tts-labs/client/player/player";
import type { SpeechClient } from "@tts-labs/client/speech-client";
import { SpeechError } from "@tts-labs/client/speech-error";
import type { HeardText, Utterance, UtteranceEvents, UtteranceTotals } from "@tts-labs/client/utterance";
import { typedWords } from "./words/typing.ts";
import type { Caption } from "./words/words.ts";

export interface SpeechRequest {
  readonly text: string;
  readonly voice: string;
  readonly language: string;
  /** Send the words one by one, as a language model would. */
  readonly typing: boolean;
  /** When the person asked, on the clock of `performance.now()`. */
  readonly askedAtMs: number;
  /** No more will come; what has come is still being played. */
  readonly onFailed: (error: SpeechError) => void;
  /** Somebody else speaks from here on. */
  readonly onSubstituted: (told: UtteranceEvents["substituted"]) => void;
}

export interface SpeechFigures {
  readonly receivedSamples: number;
  readonly playedSamples: number;
  readonly heardSamples: number;
  readonly heardMs: number;
  readonly receivedMs: number;
  readonly bufferedMs: number;
  readonly underruns: number;
  /** From asking to the first audio; null before. */
  readonly firstAudioMs: number | null;
}

/** One press of Speak, from the first text sent to the last sample heard. */
export class Speech {
  /** Resolves when all is over, whatever the outcome; never rejects. */
  readonly done: Promise<UtteranceTotals | SpeechError>;
  readonly #utterance: Utterance;
  readonly #playback: Playback;
  readonly #stop = new AbortController();
  #firstAudioMs: number | null = null;
  #stopped = false;

  constructor(client: SpeechClient, player: Player, caption: Caption, request: SpeechRequest) {
    const { text, voice, language, typing, askedAtMs } = request;
    caption.begin(language);
    // The whole text is known at once, or word by word as it is typed.
    if (!typing) caption.write(text);
    this.#utterance = client.speak(
      typing ? typedWords(text, this.#stop.signal) : text,
      voice === "" ? {} : { voice },
    );
    this.#utterance.on("audio", () => {
      this.#firstAudioMs ??= performance.now() - askedAtMs;
    });
    this.#utterance.on("sent", (piece) => {
      if (typing) caption.write(piece);
    });
    this.#utterance.on("ended", (end) => {
      if (end instanceof SpeechError) request.onFailed(end);
    });
    this.#utterance.on("substituted", request.onSubstituted);
    this.#utterance.on("words", (words) => caption.track.speak(words));
    this.#playback = player.play(this.#utterance);
    this.done = this.#run();
  }

  get receiving(): boolean {
    return this.#firstAudioMs === null;
  }

  get figures(): SpeechFigures {
    const { receivedSamples, sampleRateHz } = this.#utterance;
    return {
      receivedSamples,
      receivedMs: (receivedSamples * 1000) / sampleRateHz,
      playedSamples: this.#playback.playedSamples,
      heardSamples: this.#playback.heardSamples,
      heardMs: this.#playback.heardMs,
      bufferedMs: this.#playback.bufferedMs,
      underruns: this.#playback.underruns,
      firstAudioMs: this.#firstAudioMs,
    };
  }

  /** What of the text was heard, when the person stopped it; undefined else. */
  get stoppedAfter(): HeardText | undefined {
    return this.#stopped ? this.#utterance.heard : undefined;
  }

  /** Silence at once; the server is told how much was heard. May be called twice. */
  stop(): void {
    this.#stopped = true;
    this.#stop.abort();
    this.#playback.stop();
    void this.#utterance.cancel().catch(() => {});
  }

  async #run(): Promise<UtteranceTotals | SpeechError> {
    const [utterance, playback] = await Promise.allSettled([
      this.#utterance.finished,
      this.#playback.finished,
    ]);
    this.#stop.abort();
    const failed =
      utterance.status === "rejected" ? utterance : playback.status === "rejected" ? playback : undefined;
    if (failed !== undefined) {
      return failed.reason instanceof SpeechError ? failed.reason : new SpeechError("client.player_failed");
    }
    if (utterance.status === "rejected") return new SpeechError("client.player_failed");
    return utterance.value;
  }
}
