import { BYTES_PER_SAMPLE } from "@tts-labs/core/audio/pcm";
import type { ResumePoint } from "@tts-labs/core/audio/word-tracker";
import { GatewayError, toGatewayError } from "@tts-labs/core/errors";
import { MAX_UTTERANCE_CHARACTERS } from "@tts-labs/core/limits";
import type { UtteranceJob } from "@tts-labs/core/queue/utterance-job";
import type { LatencyParts } from "@tts-labs/core/session/entries";
import { encodeUtteranceResult } from "@tts-labs/core/session/utterance-result";
import type { StreamRef, StreamWriter } from "@tts-labs/core/stream/stream";
import { AudioWriter } from "./audio-writer.ts";
import { type Choice, Choices } from "./choices.ts";
import { watchLease } from "./lease-watch.ts";
import { RunReport } from "./run-report.ts";
import type { RunRoles } from "./run-roles.ts";
import { RunSockets } from "./run-sockets.ts";
import { isOver, nextRunState, type OverState, type RunEvent, type RunState } from "./run-state.ts";
import { RunTiming } from "./run-timing.ts";
import type { Slot } from "./slots.ts";
import type { Synthesis } from "./synthesizer.ts";
import { findStart, type StartingPoint } from "./takeover.ts";
import { TextFeed } from "./text-feed.ts";

/**
 * One utterance, from its job to the end of its audio.
 *
 *   starting ──words──▶ waiting-slot ──▶ waiting-socket ──▶ speaking ──▶ finishing ──▶ ended
 *                          ▲                   ▲                │            │
 *                          │                   └──── on a fresh socket
 *                          └──── by another choice ─────────┘────────────┘
 *
 * *Starting*: the audio stream is claimed, which seals an earlier worker's part: its last entry says from which
 * word on it is to be continued here. Meanwhile the text feed begins to read from the start; white space alone ends here, completed, without asking the provider. Then a *slot*, then a *socket*
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
 * A provider fault is retried once on a fresh socket while nothing has been appended, with the text from its
 * start. After the first sample nothing is ever replayed: the text goes on at the word that was being spoken, on
 * a fresh socket, whose first entry is spliced in at that word's first sample. Where every word has been spoken
 * and the text is complete, there is nothing to go on with, and the utterance is complete. So often and no more
 * (`continuationsMax`, counted across workers); then the fault ends it, with the audio there is.
 *
 * What the first choice can't do in all these ways is another choice's, where one is configured that may help
 * (`choices.ts`): with a slot of its own, from the start or at the next word. Should none, the first fault ends it.
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
  /** The provider has said that this was all. */
  #isFinal = false;
  #writer: StreamWriter | undefined;
  #audio: AudioWriter | undefined;
  readonly #sockets: RunSockets;
  #choices: Choices | undefined;
  readonly #report: RunReport;

  constructor(job: UtteranceJob, roles: RunRoles) {
    this.#job = job;
    this.#roles = roles;
    this.#audioStream = { tag: job.utteranceId, name: "audio" };
    this.#textStream = { tag: job.utteranceId, name: "text" };
    this.#timing = new RunTiming(job.enqueuedAtMs);
    this.#sockets = new RunSockets(roles.limits.overloadPauseMs);
    this.#report = new RunReport(job, roles);
  }

  get state(): RunState {
    return this.#state;
  }

  /** Call once. Never throws. The reason of `signal` says why the run must stop early. */
  async run(signal: AbortSignal): Promise<OverState> {
    const { streams, limits, nodeId, logger } = this.#roles;
    this.#report.began();
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
    await this.#report.ended(over, {
      samples: this.#audio?.appendedSamples ?? 0,
      characters: feed.givenCharacters,
      sockets: this.#sockets,
      latencyMs: this.#timing.latency,
      durationMs: this.#timing.totalMs(),
      error: this.#error,
    });
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
      const start = await findStart(this.#roles.streams, this.#audioStream, writer);
      const audio = this.#openAudio(writer, feed, start);
      this.#assertMayContinue(start);
      const isOpen = (await feed.opening(start.resume.char)) === "words";
      if (isOpen) await this.#speak(feed, audio, start);
      else this.#on({ kind: "nothing-to-say" });
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
    this.#report.show({ workerId: nodeId, state: "speaking" });
    return writer;
  }

  /** Other workers' audio stays, whatever becomes of the rest. */
  #assertMayContinue({ continuations, heard, resume }: StartingPoint): void {
    if (continuations > this.#roles.limits.continuationsMax) {
      throw new GatewayError("worker.unavailable", "The workers that spoke this utterance have gone.", {
        facts: { continuations: continuations - 1 },
      });
    }
    if (heard) this.#report.continued("worker.unavailable", resume);
  }

  #openAudio(writer: StreamWriter, feed: TextFeed, start: StartingPoint): AudioWriter {
    const { limits, observer } = this.#roles;
    this.#audio = new AudioWriter({
      ...{ writer, start, observer },
      sampleRateHz: this.#job.speech.sampleRateHz,
      text: () => feed.text,
      readerTimeoutMs: limits.readerTimeoutMs,
      latency: () => this.#firstAudio(),
      onFailure: (error) => this.#stop.abort(error),
    });
    return this.#audio;
  }

  async #speak(feed: TextFeed, audio: AudioWriter, start: StartingPoint): Promise<void> {
    const { limits, fallbacks = [] } = this.#roles;
    const { heard, continuations, resume, spokenBy } = start;
    const choices = new Choices(this.#roles, fallbacks, { speech: this.#job.speech, spokenBy });
    const { substitute } = choices;
    this.#choices = choices;
    this.#on({
      kind: "words",
      progress: {
        heard,
        retriesLeft: limits.retriesMax,
        continuationsLeft: limits.continuationsMax - continuations,
        ...(substitute === undefined ? {} : { firstFault: new GatewayError(substitute.reason) }),
      },
    });
    this.#timing.words();
    for (let from = resume; this.#state.kind === "waiting-slot"; from = audio.resume ?? from) {
      const slot = await this.#acquireSlot(choices);
      if (slot !== undefined) await this.#speakBy(choices.current, slot, { feed, audio, choices, from });
    }
  }

  /** `undefined` where that is a fault of the current choice. */
  async #acquireSlot(choices: Choices): Promise<Slot | undefined> {
    const { slots, speech } = choices.current;
    try {
      return await slots.acquire(speech, this.#stop.signal, this.#job.enqueuedAtMs);
    } catch (error) {
      this.#stop.signal.throwIfAborted();
      const fault = toGatewayError(error);
      if (fault.family !== "provider" && fault.family !== "capacity") throw fault;
      this.#onFault(fault, choices);
      return undefined;
    }
  }

  /** By one choice, until the utterance is over or another choice's turn has come. */
  async #speakBy(choice: Choice, slot: Slot, parts: RunParts): Promise<void> {
    const { feed, audio } = parts;
    try {
      this.#timing.slot();
      this.#on({ kind: "slot" });
      this.#sockets.use(choice, slot);
      for (let { from } = parts; this.#state.kind === "waiting-socket"; from = audio.resume ?? from) {
        const isOpen = (await feed.opening(from.char)) === "words";
        if (isOpen) await this.#attempt(this.#state, { ...parts, from });
        else this.#on({ kind: "nothing-to-say" });
      }
    } finally {
      slot.release();
    }
  }

  /** Where another choice may help, it is the current one from now on. */
  #onFault(error: GatewayError, choices: Choices): void {
    const elsewhere = choices.mayHelp(error) ? { retries: this.#roles.limits.retriesMax } : undefined;
    this.#on({ kind: "fault", error, ...(elsewhere === undefined ? {} : { elsewhere }) });
    if (this.#state.kind !== "waiting-slot") return;
    choices.take(error);
    this.#report.substituted(error.code, choices.substitute);
  }

  #firstAudio(): LatencyParts {
    const latency = this.#timing.firstAudio();
    this.#report.firstAudio(latency);
    return latency;
  }

  /** One provider socket, from having it to its end. */
  async #attempt({ after, progress }: WaitingSocket, parts: RunParts): Promise<void> {
    const { feed, audio, choices, from } = parts;
    const sockets = this.#sockets;
    const { substitute } = choices;
    const signal = this.#stop.signal;
    let synthesis: Synthesis | undefined;
    const abort = () => synthesis?.abort(toGatewayError(signal.reason ?? RUN_IS_OVER));
    if (after !== undefined && progress.heard) this.#report.continued(after.code, from);
    else if (after !== undefined) this.#report.retried(after.code);
    try {
      synthesis = await sockets.open(after, progress.heard ? "spaced" : "at-once", signal);
      this.#timing.socket();
      signal.addEventListener("abort", abort, { once: true });
      signal.throwIfAborted();
      const continuations = this.#roles.limits.continuationsMax - progress.continuationsLeft;
      audio.begin({ from, splice: progress.heard, continuations, substitute });
      feed.attach(synthesis, from.char);
      this.#on({ kind: "socket", textComplete: feed.complete });
      for await (const chunk of synthesis.events) {
        signal.throwIfAborted();
        const samples = chunk.pcm.byteLength / BYTES_PER_SAMPLE;
        if (samples > 0) sockets.heard();
        this.#on({ kind: "audio", samples });
        await audio.write(chunk, signal);
      }
      await audio.finish(signal);
      this.#isFinal = true;
      this.#on({ kind: "final" });
    } catch (error) {
      signal.throwIfAborted();
      const fault = toGatewayError(error);
      if (fault.family !== "provider" && fault.family !== "internal") throw fault;
      await audio.finish(signal);
      this.#onFault(fault, choices);
    } finally {
      feed.detach();
      signal.removeEventListener("abort", abort);
      abort();
    }
  }

  /** Else it would cost the utterance one of its continuations; where it can't be said in time, it does. */
  async #handOver(): Promise<void> {
    try {
      await this.#audio?.handOver(AbortSignal.timeout(HANDOVER_LIMIT_MS));
    } catch (err) {
      this.#roles.logger.debug({ err }, "handover not told");
    }
  }

  /** Makes the outcome durable, unless it turns out that somebody else owns the utterance. */
  async #tell(characters: number): Promise<OverState> {
    const { provider } = this.#roles;
    const writer = this.#writer;
    if (!isOver(this.#state)) this.#on({ kind: "abort", error: RUN_IS_OVER });
    const over = this.#state as OverState;
    if (over.kind === "handed-over") await this.#handOver();
    if (over.kind !== "ended" || writer === undefined) return over;
    const samples = this.#audio?.appendedSamples ?? 0;
    const ended = { outcome: over.outcome, samples, characters };
    // What went wrong on the way, however well it was mended, is not to be heard again from a cache; nor is a substitute.
    const isAsAsked = this.#error === undefined && this.#choices?.substitute === undefined;
    const isWhole = this.#isFinal && isAsAsked && provider !== undefined;
    const result = encodeUtteranceResult({ ...ended, ...(isWhole ? { provider } : {}) });
    try {
      await writer.end(result);
    } catch (error) {
      const err = toGatewayError(error);
      if (err.code === "lease.lost") return { kind: "abandoned" };
      this.#report.endNotStored(err);
      return over;
    }
    this.#report.show({ state: "delivering" });
    return over;
  }
}

type WaitingSocket = Extract<RunState, { kind: "waiting-socket" }>;

interface RunParts {
  readonly feed: TextFeed;
  readonly audio: AudioWriter;
  readonly choices: Choices;
  /** Where in the utterance it begins. */
  readonly from: ResumePoint;
}

/** An append takes some milliseconds; without room it waits, and another worker is to have the job at once. */
const HANDOVER_LIMIT_MS = 300;
const RUN_IS_OVER = new GatewayError("internal", "The run is over.");
