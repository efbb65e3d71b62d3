import { type GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { Caller } from "../../../access/caller.ts";
import { Intake, type IntakeRoles } from "../../../budget/intake.ts";
import type { ClientSocket } from "../../../http/client-socket.ts";
import type { SocketData, SocketHandler } from "../../../http/sockets.ts";
import type { SpeechRequestServices } from "../../one-utterance.ts";
import { JsonSocket } from "./json-socket.ts";
import { parseSocketMessage, type SocketMessage } from "./socket-message.ts";
import { parseSocketQuery, type SocketQuery } from "./socket-query.ts";

export interface SocketServices extends SpeechRequestServices {
  readonly intake: IntakeRoles;
}

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

export interface ConnectionOptions {
  readonly client: ClientSocket<SocketData>;
  readonly path: string;
  readonly query: string;
  readonly requestId: string;
  readonly caller: Caller;
  readonly services: SocketServices;
  readonly open: (roles: ConversationRoles) => Conversation;
}

/**
 * One connection of ElevenLabs' sockets. It is let in whatever it asks for, since their clients learn nothing from a
 * refused upgrade: what is wrong is told in a message, followed by a close with 1008.
 */
export class ElevenLabsConnection implements SocketHandler {
  readonly #options: ConnectionOptions;
  readonly #socket: JsonSocket;
  readonly #intake: Intake;
  #conversation: Conversation | undefined;
  #isOver = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { client, path, query, requestId, caller, services, open } = options;
    this.#socket = new JsonSocket(client);
    this.#intake = new Intake({
      ...services.intake,
      take: (bytes, isBinary) => this.#take(bytes, isBinary),
      obstacle: () => (this.#conversation?.mustWait === true ? "unsettled-utterances" : undefined),
      onOver: (error) => this.#end(error),
    });
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

  #take(bytes: Uint8Array, isBinary: boolean): void {
    if (this.#isOver) return;
    try {
      this.#conversation?.take(parseSocketMessage(bytes, isBinary));
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
    this.#intake.close();
    this.#conversation?.close();
  }
}
