import type { AudioFrame } from "@tts-labs/protocol/audio-frame";
import type { ClientMessage, ClientMessageOf, ServerMessage } from "@tts-labs/protocol/wire-types";
import type { AccessToken } from "./access-token.ts";
import type { Connected, Connection, ConnectionListener, ConnectionTimes } from "./connection.ts";
import type { Endpoints } from "./endpoints.ts";
import { openConnection } from "./open-connection.ts";
import { type Reconnecting, Reconnection, toSpeechError } from "./reconnection.ts";
import { mayComeBack, SpeechError } from "./speech-error.ts";
import { type StreamParameters, toStreamUrl } from "./stream-url.ts";
import type { WebSocketClass } from "./web-socket.ts";

/** Up to where everything has been received; nothing where nothing has. */
export type ResumePosition = Pick<ClientMessageOf<"resume">, "utterance_id" | "sample" | "seq">;

export interface SessionLinkListener {
  onMessage(message: ServerMessage): void;
  onAudio(frame: AudioFrame): void;
  onReconnecting(reconnecting: Reconnecting): void;
  /** Called before anything that follows the greeting. */
  onResumed(connected: Connected): void;
  /** Once; nothing follows. */
  onEnded(reason: SpeechError): void;
}

export interface SessionLinkOptions {
  readonly endpoints: Endpoints;
  readonly parameters: StreamParameters;
  readonly times: ConnectionTimes;
  /** How long the session is worth coming back to; 0: it ends with its connection. */
  readonly resumeWindowMs: number;
  readonly position: () => ResumePosition;
  /** Whether any utterance is unfinished. */
  readonly isWaiting: () => boolean;
  /** Instead of the global one. */
  readonly webSocket?: WebSocketClass | undefined;
  readonly token?: AccessToken | undefined;
}

type LinkState =
  | { readonly kind: "open"; readonly connection: Connection }
  | { readonly kind: "away" }
  | { readonly kind: "ended" };

/**
 * A session's way to its server, over as many connections as it takes:
 *
 *   open ──lost──▶ away ──resumed──▶ open …
 *     └── for good ──┴── refused, or the window is over ──▶ ended
 *
 * A lost connection is replaced (`Reconnection`). One that the server wants to be rid of (`draining`) is kept until
 * another socket is open and then left, so that the new one begins exactly where the old one stopped being heard.
 * Events of a connection that is no longer the current one are passed over.
 */
export class SessionLink {
  readonly #options: SessionLinkOptions;
  readonly #listener: SessionLinkListener;
  readonly #abort = new AbortController();
  #state: LinkState = { kind: "away" };
  #connected: Connected | undefined;
  /** While another connection is looked for. */
  #reconnection: Reconnection | undefined;
  #moveTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: SessionLinkOptions, listener: SessionLinkListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** Makes the first connection: tries each server once. @throws SpeechError of the last one tried */
  async open(): Promise<void> {
    const { endpoints, parameters } = this.#options;
    for (let left = endpoints.count; ; left--) {
      try {
        await this.#connect(parameters, Number.POSITIVE_INFINITY);
        return;
      } catch (error) {
        if (left <= 1 || !mayComeBack(toSpeechError(error))) throw error;
        endpoints.passOn();
      }
    }
  }

  /** The newest greeting. */
  get connected(): Connected {
    if (this.#connected === undefined) throw new SpeechError("client.closed");
    return this.#connected;
  }
  get state(): LinkState["kind"] {
    return this.#state.kind;
  }

  /** It is ignored while the connection is away: what must not be lost is sent again when it is back. */
  send(message: ClientMessage): void {
    if (this.#state.kind === "open") this.#state.connection.send(message);
  }

  /** Milliseconds there and back; undefined when there is no connection, or it is lost first. */
  ping(): Promise<number | undefined> {
    return this.#state.kind === "open" ? this.#state.connection.ping() : Promise.resolve(undefined);
  }

  /** Safe to call twice. */
  close(reason: SpeechError): void {
    if (this.#state.kind === "open") this.#state.connection.close(reason);
    else this.#end(reason);
  }

  /** Rejects, and does not throw, where the address is none: it may be asked for anew each time. */
  async #connect(
    parameters: StreamParameters,
    leftMs: number,
    opening?: () => ClientMessage,
  ): Promise<Connection> {
    const { endpoints, times, webSocket, token } = this.#options;
    const url = toStreamUrl(endpoints.current(), parameters);
    const bounded = { ...times, connectTimeoutMs: Math.min(times.connectTimeoutMs, leftMs) };
    const { signal } = this.#abort;
    return openConnection(url, bounded, this.#listenTo(), { opening, signal, webSocket, token });
  }

  #listenTo(): ConnectionListener {
    let mine: Connection | undefined;
    const isCurrent = () => this.#state.kind === "open" && this.#state.connection === mine;
    return {
      isWaiting: this.#options.isWaiting,
      onOpen: (connection) => {
        mine = connection;
        this.#accept(connection);
      },
      onMessage: (message) => {
        if (!isCurrent()) return;
        if (message.type === "draining") this.#moveIn(message.reconnect_in_ms);
        else this.#listener.onMessage(message);
      },
      onAudio: (frame) => {
        if (isCurrent()) this.#listener.onAudio(frame);
      },
      onClosed: (reason) => {
        if (isCurrent()) this.#lose(reason);
      },
    };
  }

  #accept(connection: Connection): void {
    const { connected } = connection;
    const isFirst = this.#connected === undefined;
    this.#state = { kind: "open", connection };
    if (!isFirst && !connected.resumed) {
      // A server that does not know of resuming greets with a session that has nothing of ours.
      connection.close(new SpeechError("session.unknown"));
      return;
    }
    this.#connected = connected;
    if (!isFirst) this.#listener.onResumed(connected);
  }

  #lose(reason: SpeechError): void {
    this.#state = { kind: "away" };
    clearTimeout(this.#moveTimer);
    const { resumeWindowMs } = this.#options;
    if (resumeWindowMs <= 0 || !mayComeBack(reason)) this.#end(reason);
    else if (this.#reconnection === undefined) void this.#comeBack(reason);
    else {
      // While others were tried in its place: now it is urgent.
      this.#tellAway(reason);
      this.#reconnection.hurry();
    }
  }

  #moveIn(ms: number): void {
    if (this.#options.resumeWindowMs <= 0) return;
    clearTimeout(this.#moveTimer);
    this.#moveTimer = setTimeout(() => {
      if (this.#reconnection === undefined) void this.#comeBack(new SpeechError("draining"));
    }, ms);
  }

  async #comeBack(why: SpeechError): Promise<void> {
    const { endpoints, parameters, resumeWindowMs } = this.#options;
    const resumed = { ...parameters, sessionId: this.connected.session_id, resume: true };
    this.#reconnection = new Reconnection({
      endpoints,
      windowMs: resumeWindowMs,
      signal: this.#abort.signal,
      onAttempt: (attempt) => {
        if (this.#state.kind === "away") this.#listener.onReconnecting(attempt);
      },
      connect: async (leftMs, reason) => {
        await this.#connect(resumed, leftMs, () => this.#takeUp(reason));
        // It may have been lost again already.
        if (this.state === "away") return false;
        // At once: what is lost from here on needs another search.
        this.#reconnection = undefined;
        return true;
      },
    });
    const end = await this.#reconnection.run(why);
    if (end.kind === "connected") return;
    this.#reconnection = undefined;
    if (end.kind === "refused") this.#end(end.reason);
    // While the server that goes away still has us, it is no loss that no other would.
    else if (end.kind === "too-late" && this.#state.kind === "away") {
      const facts = { attempts: end.attempts, windowMs: resumeWindowMs };
      this.#end(new SpeechError("client.resume_timeout", undefined, { cause: end.reason, facts }));
    }
  }

  /** Leaves what connection there is, and says where the new one shall go on. */
  #takeUp(reason: SpeechError): ClientMessage {
    if (this.#state.kind === "open") {
      const { connection } = this.#state;
      this.#state = { kind: "away" };
      connection.leave(reason);
      this.#tellAway(reason);
    }
    return { type: "resume", resume_token: this.connected.resume_token, ...this.#options.position() };
  }

  /** While another connection is already looked for: the window begins only now. */
  #tellAway(reason: SpeechError): void {
    this.#reconnection?.restartWindow();
    const leftMs = this.#options.resumeWindowMs;
    this.#listener.onReconnecting({ attempt: 0, inMs: 0, reason, leftMs });
  }

  #end(reason: SpeechError): void {
    if (this.#state.kind === "ended") return;
    this.#state = { kind: "ended" };
    clearTimeout(this.#moveTimer);
    this.#abort.abort(reason);
    this.#listener.onEnded(SpeechError.attribute(reason, this.#connected?.request_id));
  }
}
