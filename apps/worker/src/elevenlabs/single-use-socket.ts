import { monotonicMs } from "@tts-labs/core/async/lazy-timer";
import { PullQueue } from "@tts-labs/core/async/pull-queue";
import { settleable } from "@tts-labs/core/async/settleable";
import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { SynthesisAudio } from "../synthesizer.ts";
import { Connection, type ConnectionTrace } from "./connection.ts";
import {
  nextSocketState,
  type SocketEvent,
  type SocketOutcome,
  type SocketState,
} from "./connection-state.ts";
import type { DueKind } from "./deadlines.ts";
import { toDeadlineError, toMessageError } from "./errors/provider-error.ts";
import { SpeechIntake } from "./intake/speech-intake.ts";
import { Journal } from "./journal.ts";
import type { ProviderMessage } from "./messages.ts";
import { openingMessage, type Route } from "./route.ts";
import type { SocketOptions } from "./socket-options.ts";
import type { Waiting } from "./text/owed-speech.ts";
import { SpokenText } from "./text/spoken-text.ts";
import { type OwnerFacts, Watch } from "./watch.ts";

/**
 * One provider socket for one utterance, from connecting to closed: the owner of the
 * states in `connection-state.ts`, which performs their effects. It sends the opening message once, at open; passes
 * text on; hands audio out as it is pulled; keeps every deadline with one timer; and lets go of the connection whatever
 * happens. The turn ends at the final message, never at the close, which comes 0.8 s later.
 *
 * While nothing is pulled, the connection is paused and deadlines stand still, to begin anew when it is read
 * again. What has been read by then is still taken, so it holds at most the high-water mark and either one
 * message or the messages of one 64 KiB read.
 */
export class SingleUseSocket {
  readonly route: Route;
  /** Audio as it is pulled, see `Synthesis`. */
  readonly events: PullQueue<SynthesisAudio>;

  readonly #options: SocketOptions;
  readonly #connection: Connection;
  readonly #watch: Watch;
  readonly #journal: Journal;
  readonly #text: SpokenText;
  readonly #intake: SpeechIntake;
  readonly #opened = settleable<void>();
  readonly #ended = settleable<SocketOutcome>();
  readonly #closed = settleable<void>();

  #state: SocketState = { kind: "connecting" };
  /** Since when it connects, or, once ended, closes. */
  #sinceMs: number;
  #gone = false;
  #patient = false;

  /** Begins to connect at once. */
  constructor(route: Route, options: SocketOptions) {
    this.route = route;
    this.#options = options;
    this.#journal = new Journal(options.observer, options.logger);
    this.#sinceMs = this.#journal.connectingSinceMs;
    this.#text = new SpokenText(route);
    this.#intake = new SpeechIntake({
      sampleRateHz: route.sampleRateHz,
      sentCharacters: () => this.#text.characters,
      refused: (reason) => options.observer.refusedAlignment(reason),
      ignored: (reason) => options.observer.ignoredMessage(reason),
      ...(options.intake === undefined ? {} : { limits: options.intake }),
    });
    this.events = new PullQueue({
      bytesOf: ({ pcm }) => pcm.byteLength,
      highWaterBytes: options.highWaterBytes,
      onFull: () => this.#pause(),
      onRoom: () => this.#resume(),
      onAbandoned: () => this.abort(new GatewayError("cancelled.client_gone")),
    });
    // The opening may fail unobserved; `ended` reports it.
    this.#opened.promise.catch(() => {});
    this.#watch = new Watch(
      options.deadlines,
      () => this.#facts,
      (due) => this.#meet(due),
    );
    const { connectMs, closeWaitMs } = options.deadlines;
    this.#connection = new Connection(
      route,
      { apiKey: options.apiKey, connectMs, closeWaitMs },
      {
        opened: (trace) => this.#onOpened(trace),
        message: (data, binary) => this.#onMessage(data, binary),
        pong: () => this.#watch.heard(),
        failed: (error) => this.#apply({ kind: "failed", error }),
        closed: (code, reason) => this.#onClosed(code, reason),
      },
    );
    this.#watch.rearm();
  }

  /** Upgraded and opened. @throws GatewayError `provider.*`, or the reason of `abort` */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** How it ended, as soon as that is known; the connection may still be closing. */
  get ended(): Promise<SocketOutcome> {
    return this.#ended.promise;
  }

  /** The connection is gone. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get state(): SocketState {
    return this.#state;
  }

  get owed(): Waiting["kind"] {
    return this.#text.waiting.kind;
  }

  /** Monotonic, like all times here. */
  get connectingSinceMs(): number {
    return this.#journal.connectingSinceMs;
  }

  /** When it was ready for text; `undefined` before. */
  get openedAtMs(): number | undefined {
    return this.#journal.openedAtMs;
  }

  /** Takes the warm socket for an utterance. `false` if it is not, or no longer, fit for one. */
  checkOut(): boolean {
    return this.#connection.isOpen && this.claim();
  }

  /** The same for a socket opened just now, even if it closes already: its end tells the one who has it why. */
  claim(): boolean {
    if (this.#state.kind !== "warm") return false;
    this.#journal.checkedOut();
    this.#apply({ kind: "checked-out" });
    this.#watch.sent();
    return true;
  }

  /** Another one has failed before: silence is borne for as long as the deadline for first audio. */
  bePatient(): void {
    this.#patient = true;
  }

  /** Ignored before `checkOut` and after `end`, like `flush`: nothing may follow the end mark. */
  speak(text: string): void {
    if (this.#state.kind === "speaking") this.#send(this.#text.speak(text, monotonicMs()));
  }

  flush(): void {
    if (this.#state.kind === "speaking") this.#send(this.#text.flush(monotonicMs()));
  }

  end(): void {
    if (this.#state.kind !== "speaking") return;
    this.#send(this.#text.end(monotonicMs()));
    this.#apply({ kind: "text-ended", speakable: this.#text.speakable });
    this.#watch.rearm();
  }

  /** Ends now: nothing more is handed out but `reason`. May be called twice, also after the end. */
  abort(reason: GatewayError): void {
    if (this.#state.kind === "ended") this.events.destroy(reason);
    else this.#apply({ kind: "aborted", reason });
  }

  /** Lets go of an unused socket. May be called twice. */
  retire(): void {
    this.#apply({ kind: "retired" });
  }

  /** The one place where the state changes; what a late callback says of an ended socket changes nothing. */
  #apply(event: SocketEvent): void {
    const before = this.#state;
    this.#state = nextSocketState(before, event);
    if (this.#state !== before && this.#state.kind === "ended") this.#onEnded(this.#state.outcome);
  }

  #onOpened(trace: ConnectionTrace): void {
    if (this.#state.kind !== "connecting") return;
    this.#send([openingMessage(this.route)]);
    this.#apply({ kind: "opened" });
    this.#journal.opened(trace);
    this.#opened.resolve();
    this.#watch.rearm();
  }

  /** No message may take the process down, not even by a mistake of ours. */
  #onMessage(data: Buffer, binary: boolean): void {
    if (this.#state.kind === "ended") return;
    try {
      const message = this.#intake.parse(data, binary);
      if (message.kind === "error")
        this.#apply({ kind: "failed", error: toMessageError(message, this.#options.apiKey) });
      else if (message.kind === "speech") this.#onSpeech(message);
      this.#watch.heard();
    } catch (error) {
      this.#apply({ kind: "failed", error: toGatewayError(error) });
    }
  }

  #onSpeech(message: Extract<ProviderMessage, { kind: "speech" }>): void {
    const { waiting } = this.#text;
    const { chunk, verbatim } = this.#intake.receive(message);
    this.#text.heard(this.#intake.elapsedMs, verbatim, monotonicMs());
    if (chunk !== undefined) {
      this.#journal.audio(waiting);
      this.#give(chunk);
    }
    if (!message.final) return;
    for (const rest of this.#intake.finish()) this.#give(rest);
    this.#journal.final(waiting, this.#watch.readingSinceMs, this.#options.deadlines.finalGraceMs);
    this.#apply({ kind: "final" });
  }

  #give(chunk: SynthesisAudio): void {
    if (chunk.pcm.length > 0) this.#apply({ kind: "audio", samples: chunk.pcm.length / BYTES_PER_SAMPLE });
    this.events.push(chunk);
  }

  #onClosed(code: number, reason: string): void {
    this.#gone = true;
    this.#apply({ kind: "closed", code, reason });
    this.#watch.stop();
    this.#closed.resolve();
  }

  #onEnded(outcome: SocketOutcome): void {
    this.#sinceMs = monotonicMs();
    const error = outcome.kind === "failed" ? this.#intake.explain(outcome.error) : undefined;
    if (outcome.kind === "failed" && outcome.aborted) this.events.destroy(outcome.error);
    else this.events.end(error);
    this.#journal.ended(outcome, this.#intake.samples);
    this.#opened.reject(error ?? new GatewayError("provider.connect_failed", "The socket was let go."));
    this.#ended.resolve(outcome);
    if (this.#gone) return;
    this.#resume();
    this.#connection.close();
    this.#watch.rearm();
  }

  #pause(): void {
    if (this.#state.kind === "ended") return;
    this.#connection.pause();
    this.#watch.paused();
    this.#options.observer.paused(true);
  }

  #resume(): void {
    if (this.#watch.readingSinceMs !== undefined) return;
    this.#connection.resume();
    this.#watch.resumed();
    this.#options.observer.paused(false);
  }

  #send(messages: readonly string[]): void {
    for (const message of messages) this.#connection.send(message);
    if (messages.length > 0) this.#watch.sent();
  }

  get #facts(): OwnerFacts {
    const { kind } = this.#state;
    return {
      state: kind,
      sinceMs: this.#sinceMs,
      unused: kind === "ended" && this.#state.outcome.kind === "retired",
      waiting: this.#text.waiting,
      hasBegun: this.#text.hasBegun,
      patient: this.#patient,
      mayKeepAlive: kind === "speaking" && this.#text.betweenWords,
    };
  }

  #meet(due: DueKind): void {
    switch (due) {
      case "ping":
        this.#connection.ping();
        this.#watch.pinged();
        return;
      case "keep-alive":
        this.#send(this.#text.keepAlive(monotonicMs()));
        return;
      case "forced-close":
        this.#connection.terminate();
        return;
      default:
        this.#apply({ kind: "failed", error: toDeadlineError(due) });
        if (due === "pong") this.#connection.terminate();
    }
  }
}
