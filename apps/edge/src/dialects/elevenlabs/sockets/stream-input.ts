import type { Conversation, ConversationRoles } from "./connection.ts";
import { idleError, SpeechContext } from "./context.ts";
import type { SocketMessage } from "./socket-message.ts";

/**
 * `WS /v1/text-to-speech/{voice_id}/stream-input`: one text a socket. The first message may hold settings, the empty
 * text is its end; the final message is followed by the close.
 */
export class StreamInput implements Conversation {
  readonly #roles: ConversationRoles;
  #context: SpeechContext | undefined;
  /** Until the first message has come. */
  #idle: NodeJS.Timeout | undefined;

  constructor(roles: ConversationRoles) {
    this.#roles = roles;
    this.#idle = setTimeout(() => this.#onIdle(), roles.query.inactivityS * 1_000);
  }

  get mustWait(): boolean {
    return this.#context?.mustWait === true;
  }

  take(message: SocketMessage): void {
    clearTimeout(this.#idle);
    this.#context ??= this.#open(message);
    // What follows the end is ignored, as the real one does.
    if (this.#context.isEnding) return;
    this.#context.take(message);
    if (message.text === "" && !message.flush) this.#context.endText();
  }

  resume(): void {
    this.#context?.resume();
  }

  close(): void {
    clearTimeout(this.#idle);
    this.#context?.drop();
  }

  #open(opening: SocketMessage): SpeechContext {
    const { query, end } = this.#roles;
    return new SpeechContext({
      ...this.#roles,
      contextId: undefined,
      alignmentBase: query.alignmentBase ?? "segment",
      opening,
      onOver: (error) => end(error),
      onDisconnect: (reason) => end(reason),
      onIdle: () => this.#onIdle(),
    });
  }

  #onIdle(): void {
    this.#roles.end(idleError(this.#roles.query.inactivityS));
  }
}
