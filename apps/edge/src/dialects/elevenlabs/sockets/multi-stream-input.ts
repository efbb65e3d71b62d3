import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import { toSocketError } from "../wire/errors.ts";
import type { Conversation, ConversationRoles } from "./connection.ts";
import { idleError, SpeechContext } from "./context.ts";
import { toContextNames } from "./context-sink.ts";
import type { SocketMessage } from "./socket-message.ts";

/** Live contexts of one socket; one more ends it, as it does at the real one. */
const MAX_CONTEXTS = 5;
/** Ids of ended contexts that are remembered, so that what comes too late for one opens no other. */
const MAX_ENDED = 1_000;
const DEFAULT_CONTEXT = "default";

/**
 * `WS /v1/text-to-speech/{voice_id}/multi-stream-input`: texts side by side, each a context with an id of its own. A
 * message for an id that is not known opens its context. `close_context` ends its text; an empty flush behind that is
 * how LiveKit's plugin interrupts, and stops what is left of it. A context holds its place until its final message.
 */
export class MultiStreamInput implements Conversation {
  readonly #roles: ConversationRoles;
  readonly #contexts = new Map<string, SpeechContext>();
  readonly #ended = new Set<string>();
  /** Runs while there is no context. */
  #idle: NodeJS.Timeout | undefined;
  #isClosing = false;

  constructor(roles: ConversationRoles) {
    this.#roles = roles;
    this.#restartIdle();
  }

  get mustWait(): boolean {
    for (const context of this.#contexts.values()) if (context.mustWait) return true;
    return false;
  }

  take(message: SocketMessage): void {
    if (this.#isClosing) return;
    if (message.closeSocket) this.#closeSocket();
    else this.#route(message.contextId ?? DEFAULT_CONTEXT, message);
  }

  resume(): void {
    for (const context of this.#contexts.values()) context.resume();
  }

  close(): void {
    clearTimeout(this.#idle);
    for (const context of this.#contexts.values()) context.drop();
    this.#contexts.clear();
  }

  #route(id: string, message: SocketMessage): void {
    const known = this.#contexts.get(id);
    if (known?.isEnding === true) {
      if (isEmptyFlush(message)) known.cancel();
      return;
    }
    if (known !== undefined) this.#take(id, known, message);
    else if (this.#ended.has(id) && !isOpening(message)) this.#restartIdle();
    else if (message.closeContext) this.#restartIdle();
    else this.#open(id, message);
  }

  #open(id: string, opening: SocketMessage): void {
    if (this.#contexts.size >= MAX_CONTEXTS) {
      throw new GatewayError(
        "capacity.too_many_utterances",
        `Maximum simultaneous contexts per WebSocket connection exceeded (${MAX_CONTEXTS}). Close a context before opening another.`,
        { facts: { limit: MAX_CONTEXTS, contexts: true } },
      );
    }
    const { query, end } = this.#roles;
    clearTimeout(this.#idle);
    this.#ended.delete(id);
    const context = new SpeechContext({
      ...this.#roles,
      contextId: id,
      alignmentBase: query.alignmentBase ?? "context",
      opening,
      onOver: (error) => this.#onOver(id, error),
      onDisconnect: (reason) => end(reason),
      onIdle: () => end(idleError(query.inactivityS)),
    });
    this.#contexts.set(id, context);
    this.#take(id, context, opening);
  }

  /** What is wrong with the message ends the connection; what can't be done for its context ends that alone. */
  #take(id: string, context: SpeechContext, message: SocketMessage): void {
    try {
      context.take(message);
    } catch (thrown) {
      const error = toGatewayError(thrown);
      if (error.family === "protocol" || error.code === "internal") throw error;
      context.drop();
      this.#onOver(id, error);
      return;
    }
    if (message.closeContext) context.close();
  }

  #closeSocket(): void {
    this.#isClosing = true;
    clearTimeout(this.#idle);
    for (const context of [...this.#contexts.values()]) context.endText();
    this.#endIfDone();
  }

  #onOver(id: string, error: GatewayError | undefined): void {
    const { socket, services } = this.#roles;
    this.#contexts.delete(id);
    this.#remember(id);
    if (error !== undefined) {
      services.observer.errorTold(error.code);
      socket.send({ ...toSocketError(error), ...toContextNames(id) });
    }
    if (this.#isClosing) this.#endIfDone();
    else if (this.#contexts.size === 0) this.#restartIdle();
  }

  #endIfDone(): void {
    if (this.#contexts.size === 0) this.#roles.end();
  }

  #restartIdle(): void {
    if (this.#contexts.size > 0) return;
    clearTimeout(this.#idle);
    const { query, end } = this.#roles;
    this.#idle = setTimeout(() => end(idleError(query.inactivityS)), query.inactivityS * 1_000);
  }

  #remember(id: string): void {
    this.#ended.add(id);
    const [oldest] = this.#ended;
    if (this.#ended.size > MAX_ENDED && oldest !== undefined) this.#ended.delete(oldest);
  }
}

/** It opens a context anew where its id was used before. */
const isOpening = ({ text, written }: SocketMessage): boolean => text === " " || written.size > 0;

const isEmptyFlush = ({ text, flush }: SocketMessage): boolean => flush && (text ?? "") === "";
