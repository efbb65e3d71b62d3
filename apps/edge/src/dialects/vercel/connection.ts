import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { Caller } from "../../access/caller.ts";
import { Intake, type IntakeRoles } from "../../budget/intake.ts";
import type { ClientSocket } from "../../http/client-socket.ts";
import type { SocketData, SocketHandler } from "../../http/sockets.ts";
import type { SpeechRequestServices } from "../one-utterance.ts";
import type { VoiceNames } from "../voice-names.ts";
import { type ClientFrame, parseClientFrame } from "./client-frame.ts";
import { toVercelError } from "./errors.ts";
import { SpeechStream } from "./stream.ts";

/** A connection that says nothing for so long before its text is complete is ended: its client has no deadline. */
const IDLE_MS = 60_000;
const DONE = 1_000;
/** Any other than 1000: their client raises an error only when the socket closes so. */
const REFUSED = 1_008;
const FAILED = 1_011;

export interface VercelServices extends SpeechRequestServices {
  readonly intake: IntakeRoles;
  readonly voices: VoiceNames;
}

export interface VercelConnectionOptions {
  readonly client: ClientSocket<SocketData>;
  readonly modelId: string;
  readonly requestId: string;
  readonly caller: Caller;
  readonly services: VercelServices;
}

/** Tells an error, and closes. Their client learns nothing from an upgrade that is refused. */
export function refuseInBand(client: ClientSocket<SocketData>, error: GatewayError): void {
  const told = toVercelError(error);
  if (client.canEnd) client.batch(() => client.send(JSON.stringify({ type: "error", error: told }), false));
  client.close(told.type === "internal_server_error" ? FAILED : REFUSED, error.code);
}

/**
 * One connection of Vercel's AI SDK, which is one speech:
 *
 *   waiting ──start──▶ open ──text-done──▶ complete ──finish──▶ over
 *      └──────────── error, close, silence ─────────────────────▲
 */
export class VercelConnection implements SocketHandler {
  readonly #options: VercelConnectionOptions;
  readonly #intake: Intake;
  #stream: SpeechStream | undefined;
  #idle: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: VercelConnectionOptions) {
    this.#options = options;
    this.#intake = new Intake({
      ...options.services.intake,
      take: (bytes, isBinary) => this.#take(bytes, isBinary),
      obstacle: () => (this.#stream?.mustWait === true ? "unsettled-utterances" : undefined),
      onOver: (error) => this.#end(error),
    });
    this.#restartIdle();
  }

  onMessage(bytes: Uint8Array, isBinary: boolean): void {
    if (!this.#isOver) this.#intake.offer(bytes, isBinary);
  }

  onPing(): void {
    this.#intake.controlFrame();
  }

  onPong(): void {
    this.#intake.controlFrame();
  }

  onDrain(): void {
    this.#stream?.resume();
    this.#intake.wake();
  }

  /** Before `finish` it is an abort: what is being made is stopped. */
  onClosed(): void {
    this.#isOver = true;
    this.#letGo();
  }

  #take(bytes: Uint8Array, isBinary: boolean): void {
    if (this.#isOver) return;
    try {
      this.#obey(parseClientFrame(bytes, isBinary));
      this.#restartIdle();
    } catch (error) {
      this.#end(toGatewayError(error));
    }
  }

  #obey(frame: ClientFrame): void {
    if (frame.kind === "unknown") return;
    if (frame.kind === "start") {
      if (this.#stream !== undefined) throw wrongOrder("There has been a start already.");
      this.#stream = this.#open(frame);
      return;
    }
    if (this.#stream === undefined) throw wrongOrder("The first frame is speech-stream.start.");
    if (frame.kind === "text-delta") this.#stream.take(frame);
    else this.#stream.endText();
  }

  #open(start: Extract<ClientFrame, { kind: "start" }>): SpeechStream {
    const { client, modelId, requestId, caller, services } = this.#options;
    return new SpeechStream({
      start,
      modelId,
      requestId,
      caller,
      services,
      socket: {
        get writable() {
          return client.writable;
        },
        batch: (send) => client.batch(send),
        send: (part) => client.send(JSON.stringify(part), false),
      },
      onOpened: () => this.#intake.opened(),
      end: (error) => this.#end(error),
    });
  }

  #end(error?: GatewayError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (error !== undefined) this.#note(error);
    // This waits: the last part may be in the middle of being sent, and a socket must not die inside its own cork.
    queueMicrotask(() => {
      this.#letGo();
      const { client } = this.#options;
      if (error === undefined) client.close(DONE, "");
      else refuseInBand(client, error);
    });
  }

  #note(error: GatewayError): void {
    const { services, requestId } = this.#options;
    services.observer.errorTold(error.code);
    if (error.code === "internal") services.logger.error({ err: error.cause, requestId }, "a message failed");
    else services.logger.info({ requestId, code: error.code }, "connection refused");
  }

  #letGo(): void {
    clearTimeout(this.#idle);
    this.#intake.close();
    this.#stream?.close();
  }

  #restartIdle(): void {
    clearTimeout(this.#idle);
    if (this.#isOver || this.#stream?.isComplete === true) return;
    this.#idle = setTimeout(() => this.#end(silent()), IDLE_MS);
  }
}

const wrongOrder = (message: string) => new GatewayError("protocol.wrong_state", message);

const silent = () =>
  new GatewayError(
    "session.idle",
    `No frame came for ${IDLE_MS / 1_000} s; send text, or speech-stream.text-done.`,
  );
