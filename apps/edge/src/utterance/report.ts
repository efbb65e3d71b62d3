import { firstAudioVerdict } from "@tts-labs/core/audio/first-audio-verdict";
import type { LatencyParts } from "@tts-labs/core/session/entries";
import type { CancelledSpeech, UtteranceEnd } from "@tts-labs/core/session/utterance-end";
import type { UtteranceResult } from "@tts-labs/core/session/utterance-result";
import { samplesToMs } from "@tts-labs/protocol/audio/pcm";
import type { GatewayError } from "@tts-labs/protocol/errors";
import type { Caller } from "../access/caller.ts";
import { UtteranceAccount } from "../access/utterance-account.ts";
import type { DeliveryTally } from "../delivery/tally.ts";
import type { SpeechOrigin, UtteranceSummary } from "../edge-observer.ts";
import type { SessionServices } from "../services.ts";
import { cachedCharactersOf, type SpeechMaking } from "../speech/speech-making.ts";
import { type FirstAudio, toFirstAudio } from "./first-audio.ts";
import { toHeard } from "./heard.ts";
import type { HeardText } from "./heard-text.ts";

export interface UtteranceReportOptions {
  readonly utteranceId: string;
  readonly sessionId: string;
  readonly requestId: string;
  readonly sampleRateHz: number;
  readonly tally: DeliveryTally;
  readonly making: SpeechMaking;
  /** Samples that the client had heard over an earlier connection. */
  readonly samplesBefore: number;
  readonly caller: Caller;
  readonly services: Pick<SessionServices, "observer" | "logger" | "ledger" | "background">;
}

const ORIGINS = { hit: "cached", joined: "joined", miss: "synthesized", off: "synthesized" } as const;

/** What is said of an utterance when it is over: to its client, to metrics, and in the log. */
export class UtteranceReport {
  readonly #options: UtteranceReportOptions;
  readonly #openedAtMs = performance.now();
  /** Absent where there are no tenants. */
  readonly #account: UtteranceAccount | undefined;
  #turnAtMs: number | undefined;
  #workerLatency: LatencyParts | undefined;
  #source: SpeechOrigin | undefined;
  #result: UtteranceResult | undefined;

  constructor(options: UtteranceReportOptions) {
    this.#options = options;
    const { utteranceId, caller, services } = options;
    const { ledger, background } = services;
    if (ledger === undefined || caller.tenant === "") return;
    this.#account = new UtteranceAccount({
      ledger,
      caller,
      utteranceId,
      background,
      createdAtMs: Date.now(),
    });
  }

  /** What takes the client's text, noted in the tenant's ledger as it comes. */
  accounted(input: Pick<SpeechMaking, "speak" | "flush" | "endText">): typeof input {
    const { making } = this.#options;
    const account = this.#account;
    if (account === undefined) return input;
    return {
      speak: (text) => {
        input.speak(text);
        account.asked(making.characters, cachedCharactersOf(making));
      },
      flush: () => input.flush(),
      endText: () => input.endText(),
    };
  }

  /** The cache has answered. @returns its part in the utterance */
  found(): SpeechMaking["cacheUse"] {
    const { making } = this.#options;
    const cached = cachedCharactersOf(making);
    if (cached > 0) this.#account?.asked(making.characters, cached);
    return making.cacheUse;
  }

  /** It is its turn to be read. */
  tookTurn(): void {
    this.#turnAtMs = performance.now();
    this.#options.services.observer.tookTurn(this.#turnAtMs - this.#openedAtMs);
  }

  /** A chunk of its audio has been read; the first one says where the worker's time went. */
  chunk(latencyMs: LatencyParts | undefined): void {
    this.#workerLatency ??= latencyMs;
    const { making } = this.#options;
    this.#source ??= ORIGINS[making.readingUse ?? making.cacheUse];
  }

  /** All of its audio has been read. */
  read(result: UtteranceResult): void {
    this.#result = result;
  }

  /** All there is of it, sent or not: what a client misses is read from the stream again. */
  get samples(): number {
    return this.#result?.samples ?? this.#options.tally.sentSamples;
  }

  /** What became of it. */
  toEnd(error: GatewayError | undefined): UtteranceEnd {
    if (error !== undefined) return { kind: "failed", error };
    const { tally, making, sampleRateHz } = this.#options;
    const { characters, samples } = this.#result ?? { characters: 0, samples: 0 };
    const { totalMs, parts } = this.#firstAudio();
    return {
      kind: "completed",
      endedAt: new Date().toISOString(),
      characters,
      samples,
      frames: tally.sentFrames,
      droppedFrames: tally.droppedFrames,
      splices: tally.splices,
      replacedSamples: tally.replacedSamples,
      durationMs: samplesToMs(samples, sampleRateHz),
      firstAudioMs: totalMs,
      latencyMs: { ...parts },
      cache: making.cacheUse,
      ...(making.sentences && { sentences: making.sentences }),
    };
  }

  /** The same where the client wants no more of it: what was heard until now. */
  toCancelled(words: HeardText): CancelledSpeech {
    const { tally, making, sampleRateHz, samplesBefore } = this.#options;
    const heard = toHeard({
      tally,
      text: making.given,
      words,
      sampleRateHz,
      samplesBefore,
      totalSamples: this.#result?.samples,
      nowMs: performance.now(),
    });
    const { totalMs, parts } = this.#firstAudio();
    return {
      sentSamples: tally.sentSamples,
      playedSamples: tally.playedSamples ?? 0,
      ...heard,
      firstAudioMs: totalMs,
      latencyMs: { ...parts },
    };
  }

  /** Tells metrics and the log how it ended. */
  ended(outcome: UtteranceSummary["outcome"], error: GatewayError | undefined): void {
    const { observer, logger } = this.#options.services;
    const summary = this.#toSummary(outcome, error);
    this.#closeAccount(outcome);
    observer.utteranceEnded(summary);
    const { firstAudioMs } = summary;
    const verdict = firstAudioMs === null ? {} : { firstAudio: firstAudioVerdict(firstAudioMs) };
    const cause = error?.cause ? { err: error.cause } : {};
    logger.info({ ...summary, ...verdict, ...cause }, "utterance ended");
  }

  #closeAccount(outcome: UtteranceSummary["outcome"]): void {
    const { making, tally } = this.#options;
    this.#account?.ended({
      asked: making.characters,
      cached: cachedCharactersOf(making),
      isRefused: outcome === "failed" && this.#source === undefined,
      delivered: tally.sentSamples,
      heard: outcome === "completed" && tally.playedSamples === undefined ? tally.sentSamples : this.#heard(),
    });
  }

  /** Samples: as the client has reported, or as real time could have played. */
  #heard(): number {
    const { tally, sampleRateHz, samplesBefore } = this.#options;
    const { playedSamples, firstSentAtMs } = tally;
    if (playedSamples !== undefined) return playedSamples;
    const sinceMs = firstSentAtMs === undefined ? 0 : performance.now() - firstSentAtMs;
    return samplesBefore + (sinceMs / 1_000) * sampleRateHz;
  }

  #toSummary(outcome: UtteranceSummary["outcome"], error: GatewayError | undefined): UtteranceSummary {
    const { utteranceId, sessionId, requestId, tally, making } = this.#options;
    const { totalMs, parts } = this.#firstAudio();
    return {
      utteranceId,
      sessionId,
      requestId,
      outcome,
      ...(error === undefined ? {} : { code: error.code }),
      characters: making.characters,
      samples: tally.sentSamples,
      frames: tally.sentFrames,
      droppedFrames: tally.droppedFrames,
      firstAudioMs: totalMs,
      latencyMs: parts,
      ...(totalMs === null || this.#source === undefined ? {} : { source: this.#source }),
      cache: making.cacheUse,
      elapsedMs: performance.now() - this.#openedAtMs,
    };
  }

  /** It is no longer known of an utterance that was begun over an earlier connection. */
  #firstAudio(): FirstAudio {
    const { samplesBefore, tally } = this.#options;
    if (samplesBefore > 0) return { totalMs: null, parts: {} };
    return toFirstAudio({
      openedAtMs: this.#openedAtMs,
      turnAtMs: this.#turnAtMs ?? this.#openedAtMs,
      firstSentAtMs: tally.firstSentAtMs,
      worker: this.#workerLatency,
    });
  }
}
