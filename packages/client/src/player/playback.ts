import { withResolvers } from "../deferred.ts";
import type { AudioChunk } from "../frame-queue.ts";
import { SpeechError } from "../speech-error.ts";
import type { Utterance } from "../utterance.ts";
import type { LineCommand, LineReport, LineState } from "./voice-line.ts";

export interface PlaybackTotals {
  readonly playedSamples: number;
  readonly underruns: number;
  /** Samples that had been played when a splice replaced them: part of one word. */
  readonly overtakenSamples: number;
}

type TimedReport = LineReport & {
  /** On the AudioContext's clock, when the last of `played` leaves the graph. */
  readonly atTime: number;
};

/** How often the server is told what has been heard. */
const PLAYED_INTERVAL_MS = 250;
/** Longest time over which a position is carried forward from the last report; they come every 25 ms. */
const MAX_EXTRAPOLATION_S = 0.2;

/** One utterance on its way to the ear: passes its audio to the audio thread and knows what has been heard. */
export class Playback {
  /**
   * Resolves when the last sample has been handed to the output, or after a stop; rejects with `client.buffer_full`.
   */
  readonly finished: Promise<PlaybackTotals>;
  readonly #context: AudioContext;
  readonly #port: MessagePort;
  readonly #take: number;
  readonly #utterance: Utterance;
  readonly #finished = withResolvers<PlaybackTotals>();
  readonly #release: (() => void)[] = [];
  #report: TimedReport;
  #given = 0;
  /** End of the audio given, on the utterance's clock, which runs on where frames were dropped. */
  #endsAt = 0;
  #complete = false;
  #heard = 0;
  #toldAtMs = 0;

  constructor(context: AudioContext, port: MessagePort, take: number, utterance: Utterance) {
    this.#context = context;
    this.#port = port;
    this.#take = take;
    this.#utterance = utterance;
    this.finished = this.#finished.promise;
    this.finished.catch(() => {});
    this.#report = {
      take,
      state: "waiting",
      played: 0,
      waiting: 0,
      underruns: 0,
      overtaken: 0,
      overflowed: false,
      atTime: context.currentTime,
    };
    this.#command({ kind: "begin", take });
    const onReport = ({ data }: MessageEvent<TimedReport>) => this.#accept(data);
    port.addEventListener("message", onReport);
    port.start();
    this.#release.push(
      () => port.removeEventListener("message", onReport),
      utterance.on("audio", (chunk) => this.#give(chunk)),
      utterance.on("ended", (end) => {
        // After a failure, what has come is still played.
        if (!(end instanceof SpeechError) && end.outcome === "cancelled") this.stop();
        else this.#completeTake();
      }),
    );
  }

  get state(): LineState {
    return this.#report.state;
  }
  /** Handed to the output. */
  get playedSamples(): number {
    return this.#report.played;
  }
  get underruns(): number {
    return this.#report.underruns;
  }
  /** Received and not yet handed to the output. */
  get bufferedMs(): number {
    return this.#report.state === "ended" ? 0 : this.#toMs(Math.max(0, this.#given - this.#report.played));
  }

  /** Samples that have reached the ear by now, as far as the browser knows the device's latency. Never falls. */
  get heardSamples(): number {
    const { played, atTime, state } = this.#report;
    const { currentTime, baseLatency = 0, outputLatency = 0, sampleRate } = this.#context;
    const sinceReport = Math.min(currentTime - atTime - baseLatency - outputLatency, MAX_EXTRAPOLATION_S);
    const running = state === "playing" ? this.#given : played;
    const heard = Math.min(played + sinceReport * sampleRate, running);
    this.#heard = Math.max(this.#heard, Math.floor(heard));
    return this.#heard;
  }
  get heardMs(): number {
    return this.#toMs(this.heardSamples);
  }

  /** Silence within 8 ms; what waits is forgotten. The utterance goes on until it is cancelled. */
  stop(): void {
    if (this.#report.state === "ended") return;
    this.#tellPlayed();
    this.#command({ kind: "stop", take: this.#take });
  }

  /** The player is being closed: no report will come any more. */
  abandon(): void {
    if (this.#report.state !== "ended") this.#end({ ...this.#report, state: "ended" });
  }

  #accept(report: TimedReport): void {
    if (report.take < this.#take) return;
    if (report.take > this.#take) {
      // A newer take has begun: this one was stopped by it.
      this.#end({ ...this.#report, state: "ended" });
      return;
    }
    this.#report = report;
    if (report.overflowed) {
      void this.#utterance.cancel().catch(() => {});
      this.#finished.reject(new SpeechError("client.buffer_full"));
      this.stop();
    }
    if (report.state === "ended") this.#end(report);
    else if (performance.now() - this.#toldAtMs >= PLAYED_INTERVAL_MS) this.#tellPlayed();
  }

  #end(report: TimedReport): void {
    this.#report = report;
    this.#tellPlayed(report.played);
    for (const release of this.#release.splice(0)) release();
    const { played: playedSamples, underruns, overtaken: overtakenSamples } = report;
    this.#finished.resolve({ playedSamples, underruns, overtakenSamples });
  }

  #give({ firstSample, samples, last, splice }: AudioChunk): void {
    const take = this.#take;
    if (splice === true) {
      this.#given -= Math.min(this.#given, Math.max(0, this.#endsAt - firstSample));
      this.#command({ kind: "splice", take, at: this.#given });
    }
    this.#given += samples.length;
    this.#endsAt = firstSample + samples.length;
    this.#command({ kind: "audio", take, samples });
    if (last) this.#completeTake();
  }

  #completeTake(): void {
    if (this.#complete) return;
    this.#complete = true;
    this.#command({ kind: "complete", take: this.#take });
  }

  #tellPlayed(samples: number = this.heardSamples): void {
    this.#toldAtMs = performance.now();
    if (samples > 0) this.#utterance.reportPlayed(samples);
  }

  #command(command: LineCommand): void {
    this.#port.postMessage(command);
  }

  #toMs(samples: number): number {
    return (samples * 1000) / this.#context.sampleRate;
  }
}
