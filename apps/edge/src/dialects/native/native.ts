import { newRequestId } from "@tts-labs/core/ids";
import type { SessionDelivery, SessionHold } from "@tts-labs/core/session/session-store";
import type { ResumeMessage } from "@tts-labs/protocol/client-message";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { ServerMessage } from "@tts-labs/protocol/server-message";
import { type Caller, publicId, scopedId } from "../../access/caller.ts";
import { Presence } from "../../budget/given-up-requests.ts";
import { Intake, type Obstacle } from "../../budget/intake.ts";
import { AdaptiveFrameSize, type FrameSize } from "../../delivery/frame-size.ts";
import { Outbound } from "../../delivery/outbound.ts";
import type { Session } from "../../session/session.ts";
import { ConfirmedSink } from "./confirmed-sink.ts";
import { NativeConversation, readMessage } from "./conversation.ts";
import { FIRST_MESSAGE_LIMIT_MS, letGo, noResume, noToken, toConnected } from "./greeting.ts";
import { type ConnectionSink, type NativeConnectionOptions, toOutbound } from "./native-options.ts";
import { type NativeOpening, openWhereItStays, resumeSession, toHeard } from "./opening.ts";
import { RoundTrip } from "./round-trip.ts";

/** Payload of the ping that follows `connected` of a resumed session. */
const TOKEN_MARK = "token";
/** Close codes by which a client says that it wants no more: with a reason of its own, or without any. */
const CLEAN_CODES: ReadonlySet<number> = new Set([1_000, 1_005]);

/**
 *   awaiting-token ──authenticate──▶ as if it had come authenticated
 *   awaiting-resume ──resume──▶ greeting ──connected──▶ open ──▶ closed
 *                    (else) ────▶   │                              ▲
 *                                   └──────── refused ─────────────┘
 */
type Stage =
  | { readonly kind: "awaiting-token"; readonly timer: NodeJS.Timeout }
  | { readonly kind: "awaiting-resume"; readonly timer: NodeJS.Timeout }
  | { readonly kind: "greeting" }
  | { readonly kind: "open"; readonly conversation: NativeConversation; readonly outbound: Outbound }
  | { readonly kind: "closed" };

/**
 * One connection that speaks the native protocol: opens or resumes its session, and hands messages on to it; those
 * that come early wait in the intake. What it was told to do decides what becomes of the session when it ends.
 */
export class NativeConnection {
  readonly #options: NativeConnectionOptions;
  #stage: Stage;
  #caller: Caller | undefined;
  /** Of a connection that was authenticated by its first message. */
  #release: () => void = () => {};
  #session: Session | undefined;
  #roundTrip: RoundTrip | undefined;
  /** Set once: by the pong that shows that `connected`, and with it the new token, is with the client. */
  #onTokenArrived: (() => void) | undefined;
  /** What the outbound ends in. */
  readonly #confirmed: ConfirmedSink;
  readonly #intake: Intake;
  readonly #presence = new Presence();

  /** Begins the greeting: `connected`, or the reason why not. */
  constructor(options: NativeConnectionOptions) {
    this.#options = options;
    const { unconfirmedBytes } = options.settings;
    this.#confirmed = new ConfirmedSink(options.sink, unconfirmedBytes || Number.POSITIVE_INFINITY);
    this.#intake = new Intake({
      ...options.intake,
      take: (message, isBinary) => this.#take(message, isBinary),
      obstacle: () => this.#obstacle(),
      onOver: (error) => this.#end(error),
    });
    this.#caller = options.caller;
    this.#stage = { kind: "greeting" };
    if (options.caller === undefined) {
      const timer = setTimeout(() => this.#disconnect(noToken()), FIRST_MESSAGE_LIMIT_MS);
      this.#stage = { kind: "awaiting-token", timer };
    } else this.#start(options.caller);
  }

  #start(caller: Caller): void {
    this.#caller = caller;
    if (this.#options.query.resume === "true") {
      const timer = setTimeout(() => this.#disconnect(noResume()), FIRST_MESSAGE_LIMIT_MS);
      this.#stage = { kind: "awaiting-resume", timer };
      this.#intake.wake();
    } else {
      this.#stage = { kind: "greeting" };
      const roles = { ...this.#options, caller, presence: this.#presence };
      void this.#begin(openWhereItStays(roles, () => this.#onSuperseded()));
    }
  }

  /** Never rejects. */
  async #authenticate(token: string, timer: NodeJS.Timeout): Promise<void> {
    clearTimeout(timer);
    this.#stage = { kind: "greeting" };
    const { access, limiter, origin, query } = this.#options;
    try {
      const shown = { key: "", token, origin };
      const caller = await access.authenticate(shown, { role: "client", token: "stream" });
      this.#release = await limiter.connect(caller, newRequestId(), query.resume === "true" ? 1 : 0);
      if (this.#stage.kind === "greeting") this.#start(caller);
      else this.#release();
    } catch (error) {
      this.#disconnect(toGatewayError(error));
    }
  }

  /** `bytes` belong to the caller again once this returns. */
  onMessage(bytes: Uint8Array, isBinary: boolean): void {
    this.#intake.offer(bytes, isBinary);
  }

  /** The client has sent a ping, which is answered already. */
  onPing(): void {
    this.#intake.controlFrame();
  }

  /** @throws GatewayError `authentication.missing` before it is known */
  private get caller(): Caller {
    if (this.#caller === undefined) throw noToken();
    return this.#caller;
  }

  #take(bytes: Uint8Array, isBinary: boolean): void {
    const stage = this.#stage;
    if (stage.kind === "closed" || stage.kind === "greeting") return;
    this.#presence.used();
    const message = readMessage(bytes, isBinary);
    if (stage.kind === "open") stage.conversation.take(message);
    else if (stage.kind === "awaiting-token") {
      const isToken = !(message instanceof GatewayError) && message.type === "authenticate";
      if (isToken) void this.#authenticate(message.token, stage.timer);
      else this.#disconnect(noToken());
    } else if (message instanceof GatewayError || message.type !== "resume") this.#disconnect(noResume());
    else this.#resume(message, stage.timer);
  }

  /** The client answers a ping. */
  onPong(payload: string): void {
    this.#intake.controlFrame();
    if (this.#confirmed.onPong(payload)) this.onDrain();
    else if (payload === TOKEN_MARK) this.#onTokenArrived?.();
    else this.#roundTrip?.onPong(payload);
  }

  /** The socket takes more again. */
  onDrain(): void {
    if (this.#stage.kind === "open") this.#stage.outbound.resume();
    this.#intake.wake();
  }

  /** The connection is over, by the client or by the network. May be called twice. */
  onClosed(code: number): void {
    // When this side closed it, the closer sees to the session.
    if (this.#stage.kind === "closed") return;
    this.#close();
    const gone = new GatewayError("cancelled.client_gone");
    if (CLEAN_CODES.has(code)) this.#session?.close(gone);
    else this.#session?.detach(gone);
  }

  #resume(message: ResumeMessage, timer: NodeJS.Timeout): void {
    clearTimeout(timer);
    this.#stage = { kind: "greeting" };
    const { caller } = this;
    void this.#begin(resumeSession({ ...this.#options, caller }, message, () => this.#onSuperseded()));
  }

  /** Never rejects. */
  async #begin(opening: Promise<NativeOpening>): Promise<void> {
    const isResume = this.#options.query.resume === "true";
    try {
      const opened = await opening;
      // What its listeners have heard must be known before the next frame goes.
      if (isResume) await this.#options.broadcast.look(toHeard(opened)).catch(() => undefined);
      if (this.#stage.kind !== "greeting") {
        // It has gone meanwhile: a session that was there before waits for it, a new one was never heard of.
        if (isResume) letGo(opened);
        else await opened.hold.remove().catch(() => undefined);
        return;
      }
      try {
        this.#greet(opened);
      } catch (error) {
        if (isResume) letGo(opened);
        else await opened.hold.remove().catch(() => undefined);
        throw error;
      }
      if (isResume) this.#options.observer.resumeEnded("resumed");
    } catch (thrown) {
      const error = toGatewayError(thrown);
      if (isResume) this.#options.observer.resumeEnded(error.code);
      this.#disconnect(error);
    }
  }

  #greet(opened: NativeOpening): void {
    const { caller } = this;
    const { requestId, sink, registry, settings, broadcast } = this.#options;
    const { sessionId, delivery: how, hold, restored } = opened;
    const frameSize = new AdaptiveFrameSize(how.frameSamples);
    const outbound = this.#openOutbound(how, frameSize);
    sink.encodeFrames({ encoding: how.encoding ?? "pcm_s16le", deflates: how.deflates === true });
    const send = (message: ServerMessage) => outbound.now(() => sink.sendMessage(message));
    const session: Session = registry.open({
      sessionId,
      caller,
      requestId,
      dialect: "native",
      frameSize,
      outbound,
      sentenceCache: how.sentenceCache,
      hold,
      ...(how.sampleRateHz === undefined ? {} : { sampleRateHz: how.sampleRateHz }),
      ...(restored === undefined ? {} : { restored }),
      onEnded: () => broadcast.close(true),
      disconnect: (reason) => this.#disconnect(reason),
      tellDraining: (reconnectInMs) => send({ type: "draining", reconnect_in_ms: reconnectInMs }),
    });
    this.#session = session;
    const conversation = new NativeConversation({
      ...this.#options,
      session,
      send,
      intake: this.#intake,
      share: () => broadcast.share(toHeard(opened)),
    });
    hold.onRung = () => void broadcast.look(toHeard(opened)).catch(() => undefined);
    this.#stage = { kind: "open", conversation, outbound };
    send(toConnected(opened, session, { ...settings, requestId }));
    if (restored !== undefined) this.#confirmToken(sink, hold);
    this.#intake.wake();
    if (!how.adaptiveFrames) return;
    this.#roundTrip = new RoundTrip({
      ping: (payload) => sink.ping(payload),
      onMeasured: (roundTripMs) => frameSize.measured(roundTripMs),
    });
  }

  /** A client answers pings in order, so the pong shows that all before it has arrived. */
  #confirmToken(sink: ConnectionSink, hold: SessionHold): void {
    this.#onTokenArrived = () => {
      this.#onTokenArrived = undefined;
      // Until it is confirmed, the older token works until the next resume.
      hold.confirm().catch((err: unknown) => this.#options.logger.debug({ err }, "token not confirmed"));
    };
    sink.ask(TOKEN_MARK);
  }

  #openOutbound(how: SessionDelivery, frameSize: FrameSize): Outbound {
    const onOverflow = (error: GatewayError) => this.#session?.disconnect(error);
    return new Outbound({ sink: this.#confirmed, onOverflow, ...toOutbound(how, frameSize, this.#options) });
  }

  /** What the next message has to wait for. */
  #obstacle(): Obstacle | undefined {
    const stage = this.#stage;
    if (stage.kind === "greeting") return "held-messages";
    if (stage.kind !== "open") return undefined;
    if (stage.outbound.waitingMessages >= this.#options.intake.limits.unreadAnswers) return "unread-answers";
    return this.#session?.mustWait === true ? "unsettled-utterances" : undefined;
  }

  /** The connection is cut for what it sends; its session may be resumed. */
  #end(error: GatewayError): void {
    if (this.#session === undefined) this.#disconnect(error);
    else this.#session.disconnect(error);
  }

  #onSuperseded(): void {
    const { query, registry } = this.#options;
    const sessionId =
      this.#session?.sessionId ??
      (query.session_id === undefined ? undefined : scopedId(this.caller, query.session_id));
    if (this.#session === undefined) this.#disconnect(new GatewayError("session.superseded"));
    else if (sessionId !== undefined) registry.superseded(sessionId, this.#session);
  }

  #disconnect(reason: GatewayError): void {
    if (this.#stage.kind === "closed") return;
    this.#close();
    const { sink, observer, logger, requestId, query } = this.#options;
    const sessionId = publicId(this.#session?.sessionId ?? query.session_id ?? "");
    observer.errorTold(reason.code);
    const tenant = this.#caller?.tenant;
    logger.info({ requestId, tenant, sessionId, code: reason.code }, "session disconnected");
    sink.refuse(reason);
  }

  #close(): void {
    if ("timer" in this.#stage) clearTimeout(this.#stage.timer);
    this.#stage = { kind: "closed" };
    this.#presence.left();
    this.#release();
    this.#intake.close();
    this.#roundTrip?.close();
    // Its session is told first, and ends the broadcast where it ends itself.
    queueMicrotask(() => this.#options.broadcast.close(false));
  }
}
