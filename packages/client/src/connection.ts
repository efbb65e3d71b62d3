import { type AudioFrame, parseAudioFrame } from "@tts-labs/protocol/audio-frame";
import type { ClientMessage, ServerMessage, ServerMessageOf } from "@tts-labs/protocol/wire-types";
import { type Deferred, withResolvers } from "./deferred.ts";
import { Heartbeat, type HeartbeatPace } from "./heartbeat.ts";
import { fromClose, fromErrorMessage, SpeechError } from "./speech-error.ts";
import type { CloseLike, MessageLike, SocketLike } from "./web-socket.ts";

export interface ConnectionListener {
  /** Whether it waits for anything: then a silence of the server is looked into sooner. */
  isWaiting(): boolean;
  /** The server has greeted; told before anything that follows the greeting. */
  onOpen(connection: Connection): void;
  onMessage(message: ServerMessage): void;
  onAudio(frame: AudioFrame): void;
  /** Once, whatever the reason; nothing follows. */
  onClosed(reason: SpeechError): void;
}

export interface ConnectionTimes {
  readonly connectTimeoutMs: number;
  /** While nothing is awaited. */
  readonly idle: HeartbeatPace;
  /** While an utterance is unfinished. */
  readonly waiting: HeartbeatPace;
}

export type Connected = ServerMessageOf<"connected">;

/** The client has no more to say: the server lets its session go. After any other close it keeps it for a while. */
const GOODBYE = 1000;
/** The client will come back on another connection. */
export const SEE_YOU = 4000;

/**
 * One WebSocket to an edge: parses what comes, encodes what goes, notices when the other side has gone. It
 * exists from its `connected` message on (`openConnection`) until `onClosed`.
 */
export class Connection {
  readonly connected: Connected;
  readonly #socket: SocketLike;
  readonly #listener: ConnectionListener;
  /** Unanswered pings: at most the heartbeat's and the client's own few. */
  readonly #pings = new Map<number, Deferred<number | undefined>>();
  #nextPing = 1;
  readonly #heartbeat: Heartbeat;
  #lastError: SpeechError | undefined;
  #open = true;

  constructor(
    socket: SocketLike,
    connected: Connected,
    times: ConnectionTimes,
    listener: ConnectionListener,
  ) {
    this.#socket = socket;
    this.connected = connected;
    this.#listener = listener;
    socket.onmessage = ({ data }: MessageLike) => this.#receive(data);
    socket.onclose = ({ code, reason }: CloseLike) => this.#end(this.#reasonOf(code, reason));
    this.#heartbeat = new Heartbeat({
      pace: () => (listener.isWaiting() ? times.waiting : times.idle),
      ping: () => void this.ping(),
      onUnresponsive: () => this.leave(new SpeechError("client.unresponsive")),
    });
  }

  get open(): boolean {
    return this.#open;
  }

  /** A closed connection ignores it: its end is reported to the listener, not to every sender. */
  send(message: ClientMessage): void {
    if (!this.#open) return;
    this.#socket.send(JSON.stringify(message));
    // It may be what an answer is awaited to.
    if (message.type !== "ping") this.#heartbeat.look();
  }

  /** Milliseconds there and back; undefined when the connection closed first. */
  ping(): Promise<number | undefined> {
    if (!this.#open) return Promise.resolve(undefined);
    const t = this.#nextPing++;
    const pong = withResolvers<number | undefined>();
    this.#pings.set(t, pong);
    const sentAtMs = performance.now();
    this.send({ type: "ping", t });
    return pong.promise.then((answered) =>
      answered === undefined ? undefined : performance.now() - sentAtMs,
    );
  }

  /** Ends the session too, on both sides. May be called twice. */
  close(reason: SpeechError): void {
    if (!this.#open) return;
    this.#socket.close(GOODBYE);
    this.#end(reason);
  }

  /** Ends this connection; the session is to be resumed. May be called twice. */
  leave(reason: SpeechError): void {
    if (!this.#open) return;
    this.#socket.close(SEE_YOU);
    this.#end(reason);
  }

  #receive(data: unknown): void {
    if (!this.#open) return;
    this.#heartbeat.heard();
    try {
      if (data instanceof ArrayBuffer) this.#listener.onAudio(parseAudioFrame(new Uint8Array(data)));
      else this.#receiveMessage(parseServerMessage(data));
    } catch (cause) {
      this.close(new SpeechError("client.not_understood", undefined, { cause }));
    }
  }

  #receiveMessage(message: ServerMessage): void {
    if (message.type === "pong") {
      if (message.t === undefined) return;
      this.#pings.get(message.t)?.resolve(message.t);
      this.#pings.delete(message.t);
      return;
    }
    if (message.type === "error" && message.utterance_id === undefined) {
      this.#lastError = fromErrorMessage(message);
    }
    this.#listener.onMessage(message);
  }

  /** The error the server announced before it closed says more than the close code alone. */
  #reasonOf(code: number, reason: string): SpeechError {
    const byCode = fromClose(code, reason);
    return this.#lastError?.code === byCode.code ? this.#lastError : byCode;
  }

  #end(reason: SpeechError): void {
    if (!this.#open) return;
    this.#open = false;
    this.#heartbeat.close();
    for (const ping of this.#pings.values()) ping.resolve(undefined);
    this.#pings.clear();
    this.#listener.onClosed(SpeechError.attribute(reason, this.connected.request_id));
  }
}

/** Messages of types that a newer server may have are passed on; what is no message at all is refused. */
export function parseServerMessage(data: unknown): ServerMessage {
  const value: unknown = typeof data === "string" ? JSON.parse(data) : undefined;
  if (typeof value !== "object" || value === null || typeof Reflect.get(value, "type") !== "string") {
    throw new SpeechError("client.not_understood");
  }
  return value as ServerMessage;
}
