/// <reference lib="esnext.disposable" preserve="true" />
import { MAX_UTTERANCES_PER_SESSION } from "@tts-labs/protocol/limits";
import type { ServerMessage } from "@tts-labs/protocol/wire-types";
import type { AccessToken } from "./access-token.ts";
import type { Connected, ConnectionTimes } from "./connection.ts";
import { withResolvers } from "./deferred.ts";
import { Endpoints, type ServerAddress } from "./endpoints.ts";
import { type Prewarmed, Prewarms } from "./prewarms.ts";
import type { Reconnecting } from "./reconnection.ts";
import { type ResumePosition, SessionLink } from "./session-link.ts";
import type { SpeakOptions } from "./speak-options.ts";
import { fromErrorMessage, SpeechError } from "./speech-error.ts";
import { SpeechSeries } from "./speech-series.ts";
import type { SpeechText } from "./text-pieces.ts";
import { TextTurns } from "./text-turns.ts";
import { TypedEvents } from "./typed-events.ts";
import type { Utterance } from "./utterance.ts";
import { UtteranceRun } from "./utterance-run.ts";
import { fetchVoices, type Voice } from "./voices.ts";
import type { WebSocketClass } from "./web-socket.ts";

export interface ConnectOptions {
  /** Of the server, or of several that share their sessions. */
  readonly url: ServerAddress;
  readonly sessionId?: string;
  /** Where there is no global WebSocket, as in Node 20: that of the package `ws`, for instance. */
  readonly webSocket?: WebSocketClass;
  /**
   * Where the server asks for credentials: gives a token of `POST /api/v1/tokens`, which a page gets from its own server.
   * Asked for before each connection, those that resume included, since a token is good for one.
   */
  readonly token?: AccessToken;
  /** "burst": as fast as it comes, the default; "paced": in real time, at most 20 frames ahead. */
  readonly delivery?: "burst" | "paced";
  readonly overflow?: "wait" | "drop-oldest";
  readonly frameSamples?: number;
  /**
   * Sentences that were said before come from the server's cache, also where the text comes token by token; each is
   * then spoken by itself, without the tone of the one before. `session.sentence_cache` tells whether the server does.
   */
  readonly sentenceCache?: boolean;
  /** Audio kept for an iteration that is behind: by default 10 minutes (29 MB at 24 kHz). */
  readonly maxBufferedMs?: number;
  /**
   * How long a lost connection is tried to be replaced, by default 30 s, as long as a server keeps a session by
   * default. 0: the session ends with its connection.
   */
  readonly resumeWindowMs?: number;
  readonly connectTimeoutMs?: number;
  readonly cancelTimeoutMs?: number;
  /** Silence of the server after which it is pinged, by default 15 s, and how long it may take to answer: 10 s. */
  readonly pingIntervalMs?: number;
  readonly pongTimeoutMs?: number;
  /** The same while an utterance is unfinished: 5 s and 3 s. Never longer than the others. */
  readonly waitingPingMs?: number;
  readonly waitingPongTimeoutMs?: number;
}

export interface SpeakRequest extends SpeakOptions {
  /** Aborting it cancels the utterance. */
  readonly signal?: AbortSignal;
}

export interface ClientEvents {
  /** An error that belongs to no utterance; the connection goes on. */
  readonly error: SpeechError;
  /** The connection is away and is about to be replaced; told before every attempt. */
  readonly reconnecting: Reconnecting;
  /** It has been replaced: whatever was being spoken goes on. */
  readonly resumed: { readonly awayMs: number };
  /** The client is over, and why; no event follows. */
  readonly closed: SpeechError;
}

/**
 * A client's conversation with tts-labs: speaks one utterance after the other, the texts of later ones waiting
 * until those of earlier ones are complete. It outlives its connections: what is being spoken when one is lost goes
 * on over the next, from the very sample.
 */
export class SpeechClient {
  readonly #options: ConnectOptions;
  readonly #endpoints: Endpoints;
  readonly #link: SessionLink;
  readonly #texts: TextTurns;
  readonly #prewarms: Prewarms;
  readonly #events = new TypedEvents<ClientEvents>();
  readonly #closed = withResolvers<SpeechError>();
  /** Unfinished utterances, in the order of `speak`: at most `MAX_UTTERANCES_PER_SESSION`. */
  readonly #unfinished = new Set<UtteranceRun>();
  /** End of the utterance whose end the server told last. */
  #lastPosition: ResumePosition = {};
  #awaySinceMs: number | undefined;
  #over: SpeechError | undefined;

  /**
   * @throws SpeechError `client.invalid_address`, `client.no_websocket`, `client.connect_failed`,
   *   `client.connect_timeout`, or what the server refuses with
   */
  static async connect(options: ConnectOptions): Promise<SpeechClient> {
    const client = new SpeechClient(options);
    await client.#link.open();
    return client;
  }

  private constructor(options: ConnectOptions) {
    this.#options = options;
    this.#endpoints = new Endpoints(options.url);
    this.#link = new SessionLink(
      {
        endpoints: this.#endpoints,
        parameters: options,
        times: toTimes(options),
        resumeWindowMs: options.resumeWindowMs ?? 30_000,
        position: () => this.#position(),
        isWaiting: () => this.#unfinished.size > 0,
        webSocket: options.webSocket,
        token: options.token,
      },
      {
        onMessage: (message) => this.#accept(message),
        onAudio: (frame) => this.#find((run) => run.number === frame.utterance)?.acceptAudio(frame),
        onReconnecting: (reconnecting) => this.#tellReconnecting(reconnecting),
        onResumed: (connected) => this.#resume(connected),
        onEnded: (reason) => this.#end(reason),
      },
    );
    this.#texts = new TextTurns(this.#link);
    this.#prewarms = new Prewarms(this.#link);
  }

  /** The server's newest greeting: session, model, default voice, sample rate. */
  get session(): Connected {
    return this.#link.connected;
  }
  /** Whether there is a connection now, or the next is awaited, or the client is over. */
  get state(): "open" | "reconnecting" | "closed" {
    if (this.#over !== undefined) return "closed";
    return this.#link.state === "open" ? "open" : "reconnecting";
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
      send: (message) => this.#link.send(message),
      requestId: () => this.session.request_id,
    });
    if (this.#over !== undefined) run.fail(this.#over);
    else if (this.#unfinished.size >= MAX_UTTERANCES_PER_SESSION) {
      run.fail(new SpeechError("capacity.too_many_utterances"));
    } else {
      this.#unfinished.add(run);
      const onAbort = () => void run.cancel().catch(() => {});
      signal?.addEventListener("abort", onAbort, { once: true });
      run.on("ended", () => {
        signal?.removeEventListener("abort", onAbort);
        this.#unfinished.delete(run);
        if (run.settled) this.#lastPosition = run.position ?? {};
      });
      if (signal?.aborted === true) onAbort();
      this.#texts.add(run, text, options);
    }
    return run;
  }

  /** As `speak`, for a text of any length: cut at sentence ends into several utterances that sound like one. */
  speakAll(text: SpeechText, options: SpeakRequest = {}): Utterance {
    return new SpeechSeries({
      text,
      sampleRateHz: this.session.sample_rate,
      speak: (part) => this.speak(part, options),
    });
  }

  /** Cancels everything that is not finished. */
  async cancelAll(): Promise<void> {
    await Promise.allSettled([...this.#unfinished].map((run) => run.cancel()));
  }

  /**
   * The voices that may be asked for. Rejects with `client.connect_failed` or `client.connect_timeout` (5 s), or with
   * what the server answers.
   */
  voices(): Promise<Voice[]> {
    return fetchVoices(this.#endpoints.current());
  }

  /**
   * Tells the server that this voice will be wanted soon; resolves once it has a connection to the provider ready.
   * A caller that does not wait for it need not catch anything.
   * @throws SpeechError with the reason why there will be none, or why the client is over
   */
  prewarm(options: SpeakOptions = {}): Promise<Prewarmed> {
    return this.#prewarms.ask(options, this.#over);
  }

  /** Milliseconds there and back; undefined when there is no connection, or it closed first. */
  ping(): Promise<number | undefined> {
    return this.#link.ping();
  }

  /** Ends the conversation at once; what is unfinished fails with `client.closed`. May be called twice. */
  close(): Promise<SpeechError> {
    this.#link.close(new SpeechError("client.closed"));
    return this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined);
  }

  /** Everything before it has been received, and nothing of what comes later. */
  #position(): ResumePosition {
    const current = this.#find((run) => run.position !== undefined)?.position;
    if (current !== undefined) return current;
    // So that an utterance which the server has opened, and this client not heard of, is found to come later.
    return this.#find((run) => run.hasText) === undefined ? {} : this.#lastPosition;
  }

  #tellReconnecting(reconnecting: Reconnecting): void {
    this.#awaySinceMs ??= performance.now();
    this.#events.emit("reconnecting", reconnecting);
  }

  #resume(connected: Connected): void {
    const awayMs = performance.now() - (this.#awaySinceMs ?? performance.now());
    this.#awaySinceMs = undefined;
    this.#texts.resume(connected, [...this.#unfinished], this.#lastPosition.utterance_id);
    this.#prewarms.repeat();
    this.#events.emit("resumed", { awayMs });
  }

  #accept(message: ServerMessage): void {
    if (message.type === "prewarmed") this.#prewarms.accept(message);
    else if (message.type === "utterance_started") this.#texts.acceptStarted(message);
    else if ("utterance_id" in message && message.utterance_id !== undefined) {
      this.#find((run) => run.id === message.utterance_id)?.acceptMessage(message);
    } else if (message.type === "error") {
      const error = SpeechError.attribute(fromErrorMessage(message), this.session.request_id);
      if (this.#prewarms.acceptError(error)) return;
      if (!this.#texts.acceptError(error)) this.#events.emit("error", error);
    }
  }

  #find(wanted: (run: UtteranceRun) => boolean): UtteranceRun | undefined {
    for (const run of this.#unfinished) if (wanted(run)) return run;
    return undefined;
  }

  #end(reason: SpeechError): void {
    this.#over = reason;
    for (const run of [...this.#unfinished]) run.fail(reason);
    this.#prewarms.end(reason);
    this.#closed.resolve(reason);
    this.#events.emit("closed", reason);
  }
}

function toTimes(options: ConnectOptions): ConnectionTimes {
  const { connectTimeoutMs = 10_000, pingIntervalMs = 15_000, pongTimeoutMs = 10_000 } = options;
  const { waitingPingMs = 5_000, waitingPongTimeoutMs = 3_000 } = options;
  return {
    connectTimeoutMs,
    idle: { silenceMs: pingIntervalMs, answerMs: pongTimeoutMs },
    waiting: {
      silenceMs: Math.min(waitingPingMs, pingIntervalMs),
      answerMs: Math.min(waitingPongTimeoutMs, pongTimeoutMs),
    },
  };
}
