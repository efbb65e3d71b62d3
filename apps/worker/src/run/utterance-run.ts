import type { RunUtteranceJob, UtteranceJob } from "@tts-labs/core/queue/utterance-job";
import { encodeUtteranceResult } from "@tts-labs/core/session/utterance-result";
import type { StreamRef, StreamWriter } from "@tts-labs/core/stream/stream";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import { MAX_UTTERANCE_CHARACTERS } from "@tts-labs/protocol/limits";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import { Choices } from "../protection/choices.ts";
import { RunAttempts } from "./attempts.ts";
import { AudioWriter } from "./audio/audio-writer.ts";
import { findStart, type StartingPoint } from "./audio/takeover.ts";
import { watchIdle } from "./idle-watch.ts";
import { watchLease } from "./lease-watch.ts";
import { RunReport } from "./report.ts";
import type { RunRoles } from "./roles.ts";
import { isOver, type OverState, type RunState, RunStatus } from "./run-state.ts";
import { TextFeed } from "./text/text-feed.ts";

/**
 * One utterance, from its job to the end of its audio.
 *
 *   starting ──words──▶ waiting-slot ──▶ waiting-socket ──▶ speaking ──▶ finishing ──▶ ended
 *                          ▲                   ▲                │            │
 *                          │                   └──── on a fresh socket
 *                          └──── by another choice ─────────┘────────────┘
 *
 * *Starting*: the audio stream is claimed, which seals an earlier worker's part: its last entry says from which
 * word on it is to be continued here. Meanwhile the text feed begins to read from the start; white space alone
 * ends here, completed, without asking the provider. Then a *slot*, then a *socket* (from the pool, or fresh),
 * during which text gathers in the feed. *Speaking*: the feed passes text on, the audio writer passes audio on,
 * and the provider is pulled only as fast as the stream takes it. *Finishing* from the moment when all text has
 * been given until the provider's "final". The way from the slot on, and what becomes of a provider's faults, is
 * in `run-attempts.ts`.
 *
 * Three things run side by side: the feed, the watch over the lease, and the way above. A part that fails,
 * or learns that the utterance is over (cancel, text timeout, lease lost, storage, draining), aborts `#stop` with
 * the reason; the way above then unwinds, closing its socket at once. So there is one place that ends: `run`,
 * which releases everything, and then tells the outcome as the end of the audio stream, once; only a worker
 * that has lost its lease, or hands the utterance over since its process ends, reports nothing. While Redis is
 * away, claims and ends are repeated by the stream store, within its own bound.
 */
export class UtteranceRun {
  readonly #job: UtteranceJob;
  readonly #roles: RunRoles;
  readonly #audioStream: StreamRef;
  readonly #textStream: StreamRef;
  /** Aborted with the reason why the run must stop. */
  readonly #stop = new AbortController();
  readonly #status = new RunStatus();
  readonly #report: RunReport;
  #writer: StreamWriter | undefined;
  #audio: AudioWriter | undefined;
  #attempts: RunAttempts | undefined;

  constructor(job: UtteranceJob, roles: RunRoles) {
    this.#job = job;
    this.#roles = roles;
    this.#audioStream = { tag: job.utteranceId, name: "audio" };
    this.#textStream = { tag: job.utteranceId, name: "text" };
    this.#report = new RunReport(job, roles);
  }

  get state(): RunState {
    return this.#status.state;
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
      natural: this.#job.speech.natural === true,
      textTimeoutMs: limits.textTimeoutMs,
      maxCharacters: MAX_UTTERANCE_CHARACTERS,
      onComplete: () => this.#status.on({ kind: "text-complete" }),
    });
    const feeding = feed.run(this.#stop.signal).catch((error: unknown) => this.#stop.abort(error));
    try {
      await this.#claimAndSpeak(feed);
    } catch (error) {
      this.#status.on({ kind: "abort", error: toGatewayError(this.#stop.signal.reason ?? error) });
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
      sockets: this.#attempts?.sockets,
      error: this.#status.error,
    });
    return over;
  }

  async #claimAndSpeak(feed: TextFeed): Promise<void> {
    const writer = await this.#claim();
    if (writer === undefined) return this.#status.on({ kind: "found-ended" });
    const unwatch = watchLease(writer, this.#roles.limits.leaseCheckMs, (lost) => this.#stop.abort(lost));
    let unwatchIdle = () => {};
    try {
      const start = await findStart(this.#roles.streams, this.#audioStream, writer);
      const audio = this.#openAudio(writer, feed, start);
      this.#assertMayContinue(start);
      unwatchIdle = this.#watchIdle(feed, audio, start);
      const isOpen = (await feed.opening(start.resume.char)) === "words";
      if (isOpen) await this.#speak(feed, audio, start);
      else {
        await audio.complete(start.resume, this.#stop.signal);
        this.#status.on({ kind: "nothing-to-say" });
      }
    } finally {
      unwatch();
      unwatchIdle();
    }
  }

  #watchIdle(feed: TextFeed, audio: AudioWriter, start: StartingPoint): () => void {
    return watchIdle({
      limitMs: this.#roles.limits.idleTextMs,
      feed,
      audio,
      startChar: start.resume.char,
      state: () => this.#status.state,
      attempts: () => this.#attempts,
      park: () => audio.park(this.#textStream, feed.readSeq),
      onParked: (error) => {
        // In doubt, the utterance's edge sees within seconds that no worker has it.
        if (error !== undefined) this.#roles.logger.debug({ err: error }, "not known whether it was parked");
        this.#status.on(error?.code === "lease.lost" ? { kind: "abort", error } : { kind: "parked" });
        this.#stop.abort(RUN_IS_OVER);
      },
    });
  }

  /** This is not aborted: the claimer alone can tell how it ended. `undefined` where that has been told. */
  async #claim(): Promise<StreamWriter | undefined> {
    const { streams, limits, nodeId } = this.#roles;
    const writer = await streams.claimUnlessEnded(this.#audioStream, {
      owner: nodeId,
      maxBytes: limits.audioStreamMaxBytes,
      ttlMs: limits.streamTtlMs,
    });
    if (writer === undefined) return undefined;
    this.#writer = writer;
    this.#report.show({ workerId: nodeId, state: "speaking" });
    return writer;
  }

  /** Other workers' audio stays, whatever becomes of the rest. */
  #assertMayContinue({ continuations, heard, resume, wasParked }: StartingPoint): void {
    if (continuations > this.#roles.limits.continuationsMax) {
      throw new GatewayError("worker.unavailable", "The workers that spoke this utterance have gone.", {
        facts: { continuations: continuations - 1 },
      });
    }
    if (heard && wasParked !== true) this.#report.continued("worker.unavailable", resume);
  }

  #openAudio(writer: StreamWriter, feed: TextFeed, start: StartingPoint): AudioWriter {
    const { limits, observer } = this.#roles;
    this.#audio = new AudioWriter({
      writer,
      start,
      observer,
      sampleRateHz: this.#job.speech.sampleRateHz,
      text: () => feed.text,
      readerTimeoutMs: limits.readerTimeoutMs,
      latency: () => this.#report.firstAudio(),
      onFailure: (error) => this.#stop.abort(error),
    });
    return this.#audio;
  }

  async #speak(feed: TextFeed, audio: AudioWriter, start: StartingPoint): Promise<void> {
    const { limits, fallbacks = [] } = this.#roles;
    const { speech, turn, enqueuedAtMs: cameAtMs } = this.#job;
    const choices = new Choices(this.#roles, fallbacks, { speech, spokenBy: start.spokenBy });
    this.#attempts = new RunAttempts({
      limits,
      choices,
      feed,
      audio,
      cameAtMs,
      ...(turn === undefined ? {} : { turn }),
      status: this.#status,
      report: this.#report,
    });
    await this.#attempts.run(start, this.#stop.signal);
  }

  /** Without it the utterance loses one of its continuations, as it does when it can't be said in time. */
  async #handOver(): Promise<void> {
    try {
      await this.#audio?.handOver(AbortSignal.timeout(HANDOVER_LIMIT_MS));
    } catch (err) {
      this.#roles.logger.debug({ err }, "handover not told");
    }
  }

  /** Makes the outcome durable, unless it turns out that another worker owns the utterance. */
  async #tell(characters: number): Promise<OverState> {
    const { provider } = this.#roles;
    const writer = this.#writer;
    if (!isOver(this.#status.state)) this.#status.on({ kind: "abort", error: RUN_IS_OVER });
    const over = this.#status.state as OverState;
    if (over.kind === "handed-over") await this.#handOver();
    if (over.kind !== "ended" || writer === undefined) return over;
    const samples = this.#audio?.appendedSamples ?? 0;
    const ended = { outcome: over.outcome, samples, characters };
    // The provider is named for speech that may be cached: nothing mended, and no substitute.
    const isSaid = this.#attempts?.wentAsAsked && provider !== undefined;
    const result = encodeUtteranceResult({ ...ended, ...(isSaid ? { provider } : {}) });
    try {
      await writer.end(result);
    } catch (error) {
      const err = toGatewayError(error);
      if (err.code === "lease.lost") return { kind: "abandoned" };
      // The client wants no more of it, and the edge has removed the stream: the outcome has no addressee.
      if (err.code === "stream.lost") return over.outcome.kind === "cancelled" ? over : { kind: "abandoned" };
      this.#report.endNotStored(err);
      return over;
    }
    this.#report.show({ state: "delivering" });
    return over;
  }
}

/** An append takes some milliseconds; without room it waits, and another worker is to have the job at once. */
const HANDOVER_LIMIT_MS = 300;
const RUN_IS_OVER = new GatewayError("internal", "The run is over.");

/**
 * What is done with a job: one run, which tells its outcome by itself, or gives the job back to be another worker's.
 * @param named puts the account's first voice where a request named none and its edge knew none
 */
export function utteranceRunner(
  roles: RunRoles,
  named: (speech: SpeechOptions) => SpeechOptions = (speech) => speech,
): RunUtteranceJob {
  return async (job, signal) => {
    const speech = named(job.speech);
    const isAsKeyed = speech.voice === job.speech.voice;
    const run = new UtteranceRun({ ...job, speech }, isAsKeyed ? roles : withoutIdentity(roles));
    const over = await run.run(signal);
    if (over.kind === "handed-over") throw new GatewayError("draining");
  };
}

/** Speech in another voice than the one it is keyed by is not to be cached: its result names no provider. */
function withoutIdentity({ provider: _unsaid, ...roles }: RunRoles): RunRoles {
  return roles;
}
