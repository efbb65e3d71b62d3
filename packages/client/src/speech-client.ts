import { MAX_UTTERANCES_PER_SESSION } from "@tts-labs/core/limits";
import type { AudioFrame } from "@tts-labs/core/protocol/audio-frame";
import type { ServerMessage } from "@tts-labs/core/protocol/server-message";
import { type Connected, type Connection, openConnection } from "./connection.ts";
import { withResolvers } from "./deferred.ts";
import { type SpeakOptions, toWireOptions } from "./speak-options.ts";
import { fromErrorMessage, SpeechError } from "./speech-error.ts";
import { toStreamUrl } from "./stream-url.ts";
import { MAX_PIECE_CHARACTERS, type SpeechText, textPieces } from "./text-pieces.ts";
import { TypedEvents } from "./typed-events.ts";
import type { Utterance } from "./utterance.ts";
import { UtteranceRun } from "./utterance-run.ts";

export interface ConnectOptions {
  /** Of the server: `http://host:8006`, or its `ws://…/api/v1/stream`. */
  readonly url: string | URL;
  readonly sessionId?: string;
  /** "burst": as fast as it comes, the default; "paced": in real time, at most 20 frames ahead. */
  readonly delivery?: "burst" | "paced";
  readonly overflow?: "wait" | "drop-oldest";
  readonly frameSamples?: number;
  /** Audio kept for an iteration that is behind: by default 10 minutes (29 MB at 24 kHz). */
  readonly maxBufferedMs?: number;
  readonly connectTimeoutMs?: number;
  readonly cancelTimeoutMs?: number;
  readonly pingIntervalMs?: number;
  readonly pongTimeoutMs?: number;
}

export interface SpeakRequest extends SpeakOptions {
  /** Aborting it cancels the utterance. */
  readonly signal?: AbortSignal;
}

export interface ClientEvents {
  /** An error that belongs to no utterance; the connection goes on. */
  readonly error: SpeechError;
  /** The client is over, and why; no event follows. */
  readonly closed: SpeechError;
}

/**
 * A client's conversation with tts-labs: speaks one utterance after the other, the texts of later ones waiting
 * until those of earlier ones are complete.
 *
 * One opening is in flight at a time, followed by a ping: a server that refuses a first text names no utterance in
 * its error, so an error before the pong belongs to the opening, and an opening that the pong finds unanswered has
 * failed. A text that ends early, refused, failed or cancelled, is still closed by its `stream_end`, up to which the
 * server passes over what it has refused; the complaint this may earn is no news and is dropped.
 */
export class SpeechClient {
  readonly #options: ConnectOptions;
  readonly #events = new TypedEvents<ClientEvents>();
  readonly #closed = withResolvers<SpeechError>();
  /** Not ended, in the order of `speak`: at most `MAX_UTTERANCES_PER_SESSION`. */
  readonly #unfinished = new Set<UtteranceRun>();
  #connection: Connection | undefined;
  #opening: UtteranceRun | undefined;
  /** What the server said of a wrong state since the last opening. */
  #complaint: SpeechError | undefined;
  #closingText = false;
  #turn: Promise<void> = Promise.resolve();
  #over: SpeechError | undefined;

  /** @throws SpeechError `client.connect_failed`, `client.connect_timeout`, or what the server refuses with */
  static async connect(options: ConnectOptions): Promise<SpeechClient> {
    const client = new SpeechClient(options);
    await client.#connect();
    return client;
  }

  private constructor(options: ConnectOptions) {
    this.#options = options;
  }

  /** The server's greeting: session, model, default voice, sample rate. */
  get session(): Connected {
    return this.#connected.connected;
  }
  /** Resolves, with the reason, when the client is over. */
  get closed(): Promise<SpeechError> {
    return this.#closed.promise;
  }

  on<K extends keyof ClientEvents>(name: K, listener: (event: ClientEvents[K]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** Speaks `text`, after everything asked for before. Never throws: what goes wrong ends the utterance. */
  speak(text: SpeechText, { signal, ...options }: SpeakRequest = {}): Utterance {
    const { sample_rate: sampleRateHz, overflow } = this.session;
    const run = new UtteranceRun({
      sampleRateHz,
      maxBufferedSamples: ((this.#options.maxBufferedMs ?? 600_000) * sampleRateHz) / 1000,
      gapless: overflow === "wait",
      cancelTimeoutMs: this.#options.cancelTimeoutMs ?? 5_000,
      send: (message) => this.#connection?.send(message),
    });
    if (this.#over !== undefined) run.fail(this.#over);
    else if (this.#unfinished.size >= MAX_UTTERANCES_PER_SESSION) {
      run.fail(new SpeechError("capacity.too_many_utterances"));
    } else {
      this.#unfinished.add(run);
      run.on("ended", () => this.#unfinished.delete(run));
      const onAbort = () => void run.cancel().catch(() => {});
      signal?.addEventListener("abort", onAbort, { once: true });
      run.on("ended", () => signal?.removeEventListener("abort", onAbort));
      if (signal?.aborted === true) onAbort();
      this.#turn = this.#turn.then(() => this.#sendText(run, text, options));
    }
    return run;
  }

  /** Cancels everything that is not finished. */
  async cancelAll(): Promise<void> {
    await Promise.allSettled([...this.#unfinished].map((run) => run.cancel()));
  }

  /** Tells the server that this voice will be wanted soon. */
  prewarm(options: SpeakOptions = {}): void {
    this.#connection?.send({ type: "prewarm", ...toWireOptions(options) });
  }

  /** Milliseconds there and back; undefined when the connection closed first. */
  ping(): Promise<number | undefined> {
    return this.#connected.ping();
  }

  /** Ends the conversation at once; what is unfinished fails with `client.closed`. May be called twice. */
  close(): Promise<SpeechError> {
    this.#connection?.close(new SpeechError("client.closed"));
    return this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined);
  }

  get #connected(): Connection {
    if (this.#connection === undefined) throw new SpeechError("client.closed");
    return this.#connection;
  }

  async #connect(): Promise<void> {
    const { connectTimeoutMs = 10_000, pingIntervalMs = 15_000, pongTimeoutMs = 10_000 } = this.#options;
    this.#connection = await openConnection(
      toStreamUrl(this.#options.url, this.#options),
      { connectTimeoutMs, pingIntervalMs, pongTimeoutMs },
      {
        onMessage: (message) => this.#accept(message),
        onAudio: (frame) => this.#acceptAudio(frame),
        onClosed: (reason) => this.#end(reason),
      },
    );
  }

  async #sendText(run: UtteranceRun, text: SpeechText, options: SpeakOptions): Promise<void> {
    // The connection was lost, or the utterance cancelled, while it waited for its turn.
    if (!run.wantsText) return;
    if (typeof text === "string" && text.trim() === "") {
      run.fail(new SpeechError("client.empty_text"));
      return;
    }
    const pieces = textPieces(text);
    /** All in one message: its end can go along. */
    const whole = typeof text === "string" && text.length <= MAX_PIECE_CHARACTERS;
    try {
      for (;;) {
        const next = await Promise.race([pieces.next(), run.stopped]);
        if (next === "stopped" || next.done === true) break;
        if (run.hasText) this.#connection?.send({ type: "text", text: next.value });
        else await this.#open(run, next.value, options, whole);
        if (!run.wantsText) break;
        run.textSent(next.value);
      }
      if (!run.hasText) run.fail(new SpeechError("client.empty_text"));
      else if (run.wantsText && !whole) this.#connection?.send({ type: "stream_end" });
      else if (!whole) await this.#closeText(run);
    } catch (cause) {
      run.abandon(new SpeechError("client.text_failed", undefined, { cause }));
      if (run.hasText) await this.#closeText(run);
    } finally {
      // Not awaited: a source that hangs must not hold up the next utterance.
      pieces.return().catch(() => {});
    }
  }

  /** Resolves when the server has answered the opening; after a refusal, when it has answered all of it. */
  async #open(run: UtteranceRun, text: string, options: SpeakOptions, whole: boolean): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    run.openingSent();
    this.#opening = run;
    connection.send({ type: "text", text, ...toWireOptions(options) });
    if (whole) connection.send({ type: "stream_end" });
    const answered = connection.ping().then(() => {
      if (this.#opening !== run) return;
      this.#opening = undefined;
      run.fail(this.#complaint ?? new SpeechError("client.not_understood"));
    });
    this.#complaint = undefined;
    await run.opened;
    if (run.id === undefined) await answered;
  }

  /** For a text that ended early: see the comment of the class. */
  async #closeText(run: UtteranceRun): Promise<void> {
    const end = await run.finished.catch(() => undefined);
    const acknowledged = end?.playedSamples !== undefined;
    if (acknowledged || this.#connection === undefined) return;
    this.#closingText = true;
    this.#connection.send({ type: "stream_end" });
    await this.#connection.ping();
    this.#closingText = false;
  }

  #accept(message: ServerMessage): void {
    if (message.type === "utterance_started") {
      const run = this.#opening;
      this.#opening = undefined;
      if (run !== undefined) run.acceptStarted(message);
      // Given up before the server had named it.
      else this.#connection?.send({ type: "cancel", utterance_id: message.utterance_id });
      return;
    }
    if ("utterance_id" in message && message.utterance_id !== undefined) {
      this.#find((run) => run.id === message.utterance_id)?.acceptMessage(message);
      return;
    }
    if (message.type === "error") this.#acceptStrayError(fromErrorMessage(message));
  }

  #acceptStrayError(error: SpeechError): void {
    if (error.code === "protocol.wrong_state") {
      // To a cancel that crossed the end of its utterance, or a superfluous stream_end; seldom to an opening.
      this.#complaint ??= error;
      if (this.#closingText || this.#opening !== undefined) return;
    } else if (this.#opening?.over === false) {
      this.#opening.fail(error);
      return;
    }
    this.#events.emit("error", error);
  }

  #acceptAudio(frame: AudioFrame): void {
    this.#find((run) => run.number === frame.utterance)?.acceptAudio(frame);
  }

  #find(wanted: (run: UtteranceRun) => boolean): UtteranceRun | undefined {
    for (const run of this.#unfinished) if (wanted(run)) return run;
    return undefined;
  }

  #end(reason: SpeechError): void {
    this.#over = reason;
    for (const run of [...this.#unfinished]) run.fail(reason);
    this.#closed.resolve(reason);
    this.#events.emit("closed", reason);
  }
}
