import type { ResumePoint } from "@tts-labs/core/audio/word-tracker";
import type { Turn } from "@tts-labs/core/governor/slots-record";
import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { Choices } from "../protection/choices.ts";
import type { Slot } from "../protection/slots.ts";
import type { Synthesis } from "../synthesizer.ts";
import type { AudioWriter } from "./audio/audio-writer.ts";
import type { StartingPoint } from "./audio/takeover.ts";
import type { RunReport } from "./report.ts";
import type { RunLimits } from "./roles.ts";
import type { RunState, RunStatus } from "./run-state.ts";
import { RunSockets } from "./sockets.ts";
import type { TextFeed } from "./text/text-feed.ts";

export interface AttemptsParts {
  readonly limits: Pick<RunLimits, "retriesMax" | "continuationsMax" | "overloadPauseMs">;
  readonly choices: Choices;
  /** Running. */
  readonly feed: TextFeed;
  readonly audio: AudioWriter;
  readonly status: RunStatus;
  readonly report: RunReport;
  /** When the utterance was asked for, in ms since 1970. */
  readonly cameAtMs: number;
  /** Absent where there are no tenants. */
  readonly turn?: Turn;
}

/**
 * The attempts at having one utterance spoken: a slot for each choice, and with it one provider socket after the
 * other, until the utterance is over.
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
export class RunAttempts {
  readonly #parts: AttemptsParts;
  readonly #sockets: RunSockets;
  /** The provider has said that this was all. */
  #isFinal = false;
  #synthesis: Synthesis | undefined;

  constructor(parts: AttemptsParts) {
    this.#parts = parts;
    this.#sockets = new RunSockets(parts.limits.overloadPauseMs);
  }

  /** What the provider socket in use has still to send. */
  get owed(): ReturnType<NonNullable<Synthesis["owed"]>> {
    return this.#synthesis?.owed?.() ?? "nothing";
  }

  get sockets(): RunSockets {
    return this.#sockets;
  }

  /** Nothing went wrong on the way, however well it was mended, and no substitute has spoken. */
  get wentAsAsked(): boolean {
    const { status, choices } = this.#parts;
    return this.#isFinal && status.error === undefined && choices.substitute === undefined;
  }

  /**
   * Call once, as soon as there is a word to be spoken.
   * @throws what no further attempt can mend, such as `lease.lost` and `storage.*`; or the signal's reason
   */
  async run(start: StartingPoint, signal: AbortSignal): Promise<void> {
    const { limits, choices, audio, status, report } = this.#parts;
    const { substitute } = choices;
    status.on({
      kind: "words",
      progress: {
        heard: start.heard,
        retriesLeft: limits.retriesMax,
        continuationsLeft: limits.continuationsMax - start.continuations,
        ...(substitute === undefined ? {} : { firstFault: new GatewayError(substitute.reason) }),
      },
    });
    report.timing.words();
    for (let from = start.resume; status.state.kind === "waiting-slot"; from = audio.resume ?? from) {
      const slot = await this.#acquireSlot(signal);
      if (slot !== undefined) await this.#speakBy(slot, from, signal);
    }
  }

  /** `undefined` where that is a fault of the current choice. */
  async #acquireSlot(signal: AbortSignal): Promise<Slot | undefined> {
    const { choices, cameAtMs, turn } = this.#parts;
    const { slots, speech } = choices.current;
    try {
      return await slots.acquire(speech, signal, cameAtMs, turn);
    } catch (error) {
      signal.throwIfAborted();
      const fault = toGatewayError(error);
      if (fault.family !== "provider" && fault.family !== "capacity") throw fault;
      this.#onFault(fault);
      return undefined;
    }
  }

  /** By the current choice, until the utterance is over or another choice's turn has come. */
  async #speakBy(slot: Slot, start: ResumePoint, signal: AbortSignal): Promise<void> {
    const { choices, feed, audio, status, report } = this.#parts;
    try {
      report.timing.slot();
      status.on({ kind: "slot" });
      this.#sockets.use(choices.current, slot);
      for (let from = start; status.state.kind === "waiting-socket"; from = audio.resume ?? from) {
        const isOpen = (await feed.opening(from.char)) === "words";
        if (isOpen) await this.#attempt(status.state, from, signal);
        else {
          await audio.complete(from, signal);
          status.on({ kind: "nothing-to-say" });
        }
      }
    } finally {
      slot.release();
    }
  }

  /** One provider socket, from having it to its end. */
  async #attempt({ after, progress }: WaitingSocket, from: ResumePoint, signal: AbortSignal): Promise<void> {
    const { limits, choices, feed, audio, status, report } = this.#parts;
    let synthesis: Synthesis | undefined;
    const abort = () => synthesis?.abort(toGatewayError(signal.reason ?? ATTEMPT_IS_OVER));
    if (after !== undefined && progress.heard) report.continued(after.code, from);
    else if (after !== undefined) report.retried(after.code);
    try {
      synthesis = await this.#sockets.open(after, progress.heard ? "spaced" : "at-once", signal);
      this.#synthesis = synthesis;
      report.timing.socket();
      signal.addEventListener("abort", abort, { once: true });
      signal.throwIfAborted();
      const continuations = limits.continuationsMax - progress.continuationsLeft;
      audio.begin({ from, splice: progress.heard, continuations, substitute: choices.substitute });
      feed.attach(synthesis, from.char);
      status.on({ kind: "socket", textComplete: feed.complete });
      await this.#listen(synthesis, signal);
      this.#isFinal = true;
      status.on({ kind: "final" });
    } catch (error) {
      signal.throwIfAborted();
      const fault = toGatewayError(error);
      if (fault.family !== "provider" && fault.family !== "internal") throw fault;
      await audio.finish(signal);
      this.#onFault(fault);
    } finally {
      this.#synthesis = undefined;
      feed.detach();
      signal.removeEventListener("abort", abort);
      abort();
    }
  }

  /** Until the provider says that this was all, and all of it is stored. */
  async #listen({ events }: Synthesis, signal: AbortSignal): Promise<void> {
    const { audio, status } = this.#parts;
    for await (const chunk of events) {
      signal.throwIfAborted();
      const samples = chunk.pcm.byteLength / BYTES_PER_SAMPLE;
      if (samples > 0) this.#sockets.heard();
      status.on({ kind: "audio", samples });
      await audio.write(chunk, signal);
    }
    await audio.finish(signal);
  }

  /** Another choice that may help is the current one from now on. */
  #onFault(error: GatewayError): void {
    const { limits, choices, status, report } = this.#parts;
    const elsewhere = choices.mayHelp(error) ? { retries: limits.retriesMax } : undefined;
    status.on({ kind: "fault", error, ...(elsewhere === undefined ? {} : { elsewhere }) });
    if (status.state.kind !== "waiting-slot") return;
    choices.take(error);
    report.substituted(error.code, choices.substitute);
  }
}

type WaitingSocket = Extract<RunState, { kind: "waiting-socket" }>;

const ATTEMPT_IS_OVER = new GatewayError("internal", "The attempt is over.");
