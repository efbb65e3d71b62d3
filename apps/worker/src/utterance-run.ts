import { setTimeout as sleep } from "node:timers/promises";
import { BYTES_PER_SAMPLE } from "@tts-labs/core/audio/pcm";
import { GatewayError, toGatewayError } from "@tts-labs/core/errors";
import { MAX_UTTERANCE_CHARACTERS } from "@tts-labs/core/limits";
import type { UtteranceJob } from "@tts-labs/core/queue/utterance-job";
import type { LatencyParts } from "@tts-labs/core/session/entries";
import type { LiveRegistry } from "@tts-labs/core/session/live-registry";
import { encodeUtteranceResult } from "@tts-labs/core/session/utterance-result";
import type { StreamRef, StreamWriter } from "@tts-labs/core/stream/stream";
import { AudioWriter } from "./audio-writer.ts";
import { watchLease } from "./lease-watch.ts";
import type { RunOutcome, RunRoles } from "./run-roles.ts";
import { isOver, nextRunState, type OverState, type RunEvent, type RunState } from "./run-state.ts";
import { RunTiming } from "./run-timing.ts";
import type { Slot } from "./slots.ts";
import type { Synthesis } from "./synthesizer.ts";
import { TextFeed } from "./text-feed.ts";

/**
 * One utterance, from its job to the end of its audio.
 *
 *   starting ──words──▶ waiting-slot ──▶ waiting-socket ──▶ speaking ──▶ finishing ──▶ ended
 *                                              ▲                │            │
 *                                              └──── one retry, nothing heard yet
 *
 * *Starting*: the audio stream is claimed (which seals an earlier worker's part) while the text feed begins to
 * read; white space alone ends here, completed, without asking the provider. Then a *slot*, then a *socket*
 * (from the pool, or fresh), during which text gathers in the feed. *Speaking*: the feed passes text on, the
 * audio writer passes audio on, and the provider is pulled only as fast as the stream takes it. *Finishing*
 * from the moment when all text has been given until the provider's "final".
 *
 * Three things run side by side: the feed, the watch over the lease, and the way above. Whoever fails, or
 * learns that the utterance is over (cancel, text timeout, lease lost, storage, draining), aborts `#stop` with
 * the reason; the way above then unwinds, closing its socket at once. So there is one place that ends: `run`,
 * which releases everything, and then tells the outcome as the end of the audio stream, once; only a worker
 * that has lost its lease, or hands the utterance over since its process ends, tells nobody. While Redis is away, claims and ends are repeated by the stream store,
 * within its own bound.
 *
 * A provider fault is retried on a fresh socket while nothing has been appended, with the same text from its
 * start. After the first sample it ends the utterance with a typed error and the audio there is.
 */
export class UtteranceRun {
  readonly #job: UtteranceJob;
  readonly #roles: RunRoles;
  readonly #audioStream: StreamRef;
  readonly #textStream: StreamRef;
  /** Aborted with the reason why the run must stop. */
  readonly #stop = new AbortController();
  readonly #timing: RunTiming;
  #state: RunState = { kind: "starting" };
  /** What it failed of, with its cause, for the log. */
  #error: GatewayError | undefined;
  #writer: StreamWriter | undefined;
  #audio: AudioWriter | undefined;
  #slot: Slot | undefined;
  #attempts = 0;
  #opening: Synthesis["opening"] | undefined;
  /** Changes to the live view, in order; none fails. */
  #noted: Promise<void> = Promise.resolve();

  constructor(job: UtteranceJob, roles: RunRoles) {
    this.#job = job;
    this.#roles = roles;
    this.#audioStream = { tag: job.utteranceId, name: "audio" };
    this.#textStream = { tag: job.utteranceId, name: "text" };
    this.#timing = new RunTiming(job.enqueuedAtMs);
  }

  get state(): RunState {
    return this.#state;
  }

  /** Call once. Never throws. The reason of `signal` says why the run must stop early. */
  async run(signal: AbortSignal): Promise<OverState> {
    const { streams, limits, observer, nodeId, logger } = this.#roles;
    observer.began();
    const onAbort = () => this.#stop.abort(toGatewayError(signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    const reader = streams.reader(this.#textStream, { readerId: nodeId, ttlMs: limits.streamTtlMs });
    const feed = new TextFeed({
      reader,
      autoMode: this.#job.speech.autoMode,
      textTimeoutMs: limits.textTimeoutMs,
      maxCharacters: MAX_UTTERANCE_CHARACTERS,
      onComplete: () => this.#on({ kind: "text-complete" }),
    });
    const feeding = feed.run(this.#stop.signal).catch((error: unknown) => this.#stop.abort(error));
    try {
      await this.#claimAndSpeak(feed);
    } catch (error) {
      this.#on({ kind: "abort", error: toGatewayError(this.#stop.signal.reason ?? error) });
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#stop.abort(RUN_IS_OVER);
      await feeding;
      await this.#audio?.discard();
      await reader.close().catch((err: unknown) => logger.debug({ err }, "text reader not closed"));
    }
    const over = await this.#tell(feed.givenCharacters);
    this.#writer?.close();
    await this.#noted;
    observer.ended(toRunOutcome(over));
    this.#log(over, feed.givenCharacters);
    return over;
  }

  #on(event: RunEvent): void {
    const before = this.#state;
    this.#state = nextRunState(before, event);
    if (this.#state !== before && (event.kind === "fault" || event.kind === "abort"))
      this.#error = event.error;
  }

  async #claimAndSpeak(feed: TextFeed): Promise<void> {
    const writer = await this.#claim();
    if (writer === undefined) return this.#on({ kind: "found-ended" });
    const unwatch = watchLease(writer, this.#roles.limits.leaseCheckMs, (lost) => this.#stop.abort(lost));
    try {
      if ((await feed.opening) === "nothing") return this.#on({ kind: "nothing-to-say" });
      await this.#speak(feed, writer);
    } finally {
      unwatch();
    }
  }

  /** Not to be aborted: only who has claimed can tell how it ended. `undefined` where that has been told. */
  async #claim(): Promise<StreamWriter | undefined> {
    const { streams, limits, nodeId } = this.#roles;
    const found = await streams.inspect(this.#audioStream);
    if (found?.end !== undefined) return undefined;
    const writer = await streams.claim(this.#audioStream, {
      owner: nodeId,
      maxBytes: limits.audioStreamMaxBytes,
      ttlMs: limits.streamTtlMs,
    });
    this.#writer = writer;
    this.#note({ workerId: nodeId, state: "speaking" });
    if (writer.lastSeq > 0) {
      throw new GatewayError("worker.unavailable", "The worker that spoke this utterance has gone.");
    }
    return writer;
  }

  async #speak(feed: TextFeed, writer: StreamWriter): Promise<void> {
    const { slots, limits, observer } = this.#roles;
    this.#on({ kind: "words" });
    this.#timing.words();
    const slot = await slots.acquire(this.#job.speech, this.#stop.signal);
    this.#slot = slot;
    try {
      this.#timing.slot();
      this.#on({ kind: "slot" });
      this.#audio = new AudioWriter({
        writer,
        readerTimeoutMs: limits.readerTimeoutMs,
        latency: () => this.#firstAudio(),
        onFailure: (error) => this.#stop.abort(error),
        observer,
      });
      while (this.#state.kind === "waiting-socket") await this.#attempt(this.#state.after, feed, this.#audio);
    } finally {
      slot.release();
    }
  }

  #firstAudio(): LatencyParts {
    const latency = this.#timing.firstAudio();
    this.#roles.observer.firstAudio(latency);
    return latency;
  }

  /** One provider socket, from having it to its end. */
  async #attempt(after: GatewayError | undefined, feed: TextFeed, audio: AudioWriter): Promise<void> {
    const signal = this.#stop.signal;
    let synthesis: Synthesis | undefined;
    const abort = () => synthesis?.abort(toGatewayError(signal.reason ?? RUN_IS_OVER));
    try {
      synthesis = await this.#openSynthesis(after, signal);
      signal.addEventListener("abort", abort, { once: true });
      signal.throwIfAborted();
      feed.attach(synthesis);
      this.#on({ kind: "socket", textComplete: feed.complete });
      for await (const chunk of synthesis.events) {
        signal.throwIfAborted();
        if (chunk.pcm.byteLength > 0) feed.forget();
        this.#on({ kind: "audio", samples: chunk.pcm.byteLength / BYTES_PER_SAMPLE });
        await audio.write(chunk, signal);
      }
      await audio.finish(signal);
      this.#on({ kind: "final" });
    } catch (error) {
      signal.throwIfAborted();
      const fault = toGatewayError(error);
      if (fault.family !== "provider" && fault.family !== "internal") throw fault;
      await audio.finish(signal);
      this.#on({ kind: "fault", error: fault });
    } finally {
      feed.detach();
      signal.removeEventListener("abort", abort);
      abort();
    }
  }

  async #openSynthesis(after: GatewayError | undefined, signal: AbortSignal): Promise<Synthesis> {
    const { synthesizer, limits, observer } = this.#roles;
    const { speech } = this.#job;
    this.#attempts += 1;
    let synthesis: Synthesis;
    if (after === undefined) synthesis = await synthesizer.open(speech, signal, this.#slot?.keyId);
    else {
      observer.retried(after.code);
      const isOverloaded = after.code === "provider.overloaded";
      if (isOverloaded) await sleep(limits.overloadPauseMs, undefined, { signal });
      await this.#slot?.move();
      synthesis = await synthesizer.openFresh(speech, signal, this.#slot?.keyId);
    }
    this.#timing.socket();
    this.#opening = synthesis.opening;
    return synthesis;
  }

  /** Makes the outcome durable, unless it turns out that somebody else owns the utterance. */
  async #tell(characters: number): Promise<OverState> {
    const { logger } = this.#roles;
    const writer = this.#writer;
    if (!isOver(this.#state)) this.#on({ kind: "abort", error: RUN_IS_OVER });
    const over = this.#state as OverState;
    if (over.kind !== "ended" || writer === undefined) return over;
    const samples = this.#audio?.appendedSamples ?? 0;
    const result = encodeUtteranceResult({ outcome: over.outcome, samples, characters });
    try {
      await writer.end(result);
    } catch (error) {
      const err = toGatewayError(error);
      if (err.code === "lease.lost") return { kind: "abandoned" };
      logger.error({ err, utteranceId: this.#job.utteranceId }, "utterance end not stored");
      return over;
    }
    this.#note({ state: "delivering" });
    return over;
  }

  #note(change: Parameters<LiveRegistry["updateUtterance"]>[1]): void {
    const { live, logger } = this.#roles;
    this.#noted = this.#noted
      .then(() => live.updateUtterance(this.#job.utteranceId, change))
      .catch((err: unknown) => logger.debug({ err }, "live view not updated"));
  }

  #log(over: OverState, characters: number): void {
    const { utteranceId, sessionId, requestId } = this.#job;
    const outcome = toRunOutcome(over);
    this.#roles.logger.info(
      {
        ...{ utteranceId, sessionId, requestId, outcome, characters },
        samples: this.#audio?.appendedSamples ?? 0,
        sockets: this.#attempts,
        warm: this.#opening?.warm,
        latencyMs: this.#timing.latency,
        durationMs: this.#timing.totalMs(),
        ...(over.kind === "ended" && over.outcome.kind === "failed" ? { err: this.#error } : {}),
      },
      "utterance ended",
    );
  }
}

const RUN_IS_OVER = new GatewayError("internal", "The run is over.");

function toRunOutcome(over: OverState): RunOutcome {
  if (over.kind !== "ended") return over.kind;
  return over.outcome.kind === "failed" ? over.outcome.code : over.outcome.kind;
}
