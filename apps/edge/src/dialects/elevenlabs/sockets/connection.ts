import { newRequestId } from "@tts-labs/core/ids";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { Access } from "../../../access/access.ts";
import type { Caller } from "../../../access/caller.ts";
import { Intake, type IntakeRoles, type Obstacle } from "../../../budget/intake.ts";
import type { ClientSocket } from "../../../http/client-socket.ts";
import type { SocketData, SocketHandler } from "../../../http/sockets.ts";
import type { SpeechRequestServices } from "../../one-utterance.ts";
import { JsonSocket } from "./json-socket.ts";
import { parseSocketMessage, type SocketMessage } from "./socket-message.ts";
import { parseSocketQuery, type SocketQuery } from "./socket-query.ts";

export interface SocketServices extends SpeechRequestServices {
  readonly intake: IntakeRoles;
  readonly access: Pick<Access, "authenticate" | "mint" | "isOpen">;
}

/** So soon a client that has shown no key must send its first message. */
const FIRST_MESSAGE_MS = 20_000;

/** What one kind of socket makes of its messages. */
export interface Conversation {
  /** @throws GatewayError which ends the connection */
  take(message: SocketMessage): void;
  /** The next message has to wait until more of what was given up is settled. */
  readonly mustWait: boolean;
  /** The socket takes more again. */
  resume(): void;
  /** Lets everything go, and says nothing. May be called twice. */
  close(): void;
}

/** What a conversation is given. */
export interface ConversationRoles {
  readonly query: SocketQuery;
  readonly requestId: string;
  readonly caller: Caller;
  readonly socket: JsonSocket;
  readonly services: SocketServices;
  readonly intake: Pick<Intake, "opened">;
  /** Ends the connection: with an error that is told first, or because all has been said. */
  readonly end: (error?: GatewayError) => void;
}

/** What is known of the client from its upgrade. */
export interface AskingClient {
  readonly caller: Caller | undefined;
  /** Why it is not served. */
  readonly refusal: GatewayError | undefined;
  readonly origin: string;
}

export interface ConnectionOptions {
  readonly client: ClientSocket<SocketData>;
  readonly path: string;
  readonly query: string;
  readonly requestId: string;
  readonly asking: AskingClient;
  readonly services: SocketServices;
  readonly open: (roles: ConversationRoles) => Conversation;
}

/**
 * One connection of ElevenLabs' sockets. It is let in whatever it asks for, since their clients learn nothing from a
 * refused upgrade: what is wrong is told in a message, followed by a close with 1008. A client that shows no key with
 * the upgrade may show it in its first message; until it is known, what follows waits.
 */
export class ElevenLabsConnection implements SocketHandler {
  readonly #options: ConnectionOptions;
  readonly #socket: JsonSocket;
  readonly #intake: Intake;
  #conversation: Conversation | undefined;
  /** The first message has been read, and its key is being looked up. */
  #isAsking = false;
  #isOver = false;
  #missing: NodeJS.Timeout | undefined;
  /** Of a client that has shown its key in a message: gives back its tenant's connection. */
  #release = () => {};

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { client, services, asking } = options;
    this.#socket = new JsonSocket(client);
    this.#intake = new Intake({
      ...services.intake,
      take: (bytes, isBinary) => this.#take(bytes, isBinary),
      obstacle: () => this.#obstacle(),
      onOver: (error) => this.#end(error),
    });
    const { caller, refusal } = asking;
    if (refusal !== undefined) this.#end(refusal);
    else if (caller !== undefined) this.#open(caller);
    else {
      const onMissing = () => this.#end(new GatewayError("authentication.missing"));
      this.#missing = setTimeout(onMissing, FIRST_MESSAGE_MS);
    }
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
    this.#conversation?.resume();
    this.#intake.wake();
  }

  onClosed(): void {
    this.#isOver = true;
    this.#letGo();
  }

  #obstacle(): Obstacle | undefined {
    if (this.#isAsking) return "held-messages";
    return this.#conversation?.mustWait === true ? "unsettled-utterances" : undefined;
  }

  #open(caller: Caller): void {
    const { path, query, requestId, services, open } = this.#options;
    try {
      this.#conversation = open({
        query: parseSocketQuery(path, query, services.settings.defaults.sampleRateHz),
        requestId,
        caller,
        socket: this.#socket,
        services,
        intake: this.#intake,
        end: (error) => this.#end(error),
      });
    } catch (error) {
      this.#end(toGatewayError(error));
    }
  }

  #take(bytes: Uint8Array, isBinary: boolean): void {
    if (this.#isOver) return;
    try {
      const message = parseSocketMessage(bytes, isBinary);
      if (this.#conversation === undefined) void this.#identify(message);
      else this.#conversation.take(message);
    } catch (error) {
      this.#end(toGatewayError(error));
    }
  }

  /** The first message of a client that is not known. Never rejects. */
  async #identify(message: SocketMessage): Promise<void> {
    const { services, asking } = this.#options;
    clearTimeout(this.#missing);
    this.#isAsking = true;
    try {
      const credentials = { key: message.key, token: "", origin: asking.origin };
      const caller = await services.access.authenticate(credentials, { role: "client" });
      this.#release = await services.limiter.connect(caller, newRequestId());
      this.#isAsking = false;
      if (this.#isOver) {
        this.#letGo();
        return;
      }
      this.#open(caller);
      this.#conversation?.take(message);
      this.#intake.wake();
    } catch (error) {
      this.#end(toGatewayError(error));
    }
  }

  #end(error: GatewayError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (error !== undefined) this.#note(error);
    // This waits: the last message may be in the middle of being sent, and a socket must not die inside its own cork.
    queueMicrotask(() => {
      this.#letGo();
      if (error === undefined) this.#socket.finish();
      else this.#socket.refuse(error);
    });
  }

  #note(error: GatewayError): void {
    const { services, requestId } = this.#options;
    services.observer.errorTold(error.code);
    if (error.code === "internal") services.logger.error({ err: error.cause, requestId }, "a message failed");
    else services.logger.info({ requestId, code: error.code }, "connection refused");
  }

  #letGo(): void {
    clearTimeout(this.#missing);
    this.#release();
    this.#release = () => {};
    this.#intake.close();
    this.#conversation?.close();
  }
}
