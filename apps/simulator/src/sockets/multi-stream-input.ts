import type { Fault } from "../faults/faults.ts";
import { type ServiceError, serviceErrors } from "../faults/service-error.ts";
import type { Services } from "../services.ts";
import { TextBuffer } from "../voice/text-buffer.ts";
import { finalMessage } from "../wire/audio-messages.ts";
import { type ClientMessage, changedSetting, type Settings } from "./client-message.ts";
import type { Connection } from "./connection.ts";
import { IdleTimer } from "./idle-timer.ts";
import { SocketDoor, type SocketOptions } from "./socket-door.ts";
import type { SocketQuery } from "./socket-query.ts";
import { Speaker } from "./speaker.ts";

/** Live contexts per socket; one more kills the socket (docs/elevenlabs.md 2.3). */
const MAX_CONTEXTS = 5;
/** Ids of finished contexts remembered, so that text which comes too late is dropped and not spoken. */
const MAX_FINISHED = 1_000;
const DEFAULT_CONTEXT = "default";

interface Context {
  readonly id: string;
  readonly opening: Settings;
  readonly buffer: TextBuffer;
  readonly speaker: Speaker;
  readonly idle: IdleTimer;
  /** Set when a close is asked for: done with the final message, until which the slot is held. */
  closing: Promise<void> | undefined;
}

/**
 * One `multi-stream-input` socket (docs/elevenlabs.md 2): contexts with text, flush and close of their
 * own, spoken side by side. A message for an unknown id creates its context, whatever it says. A context
 * lives until its final message; that of an idle one is not known, so idleness ends the socket as it does on
 * stream-input.
 */
export class MultiStreamInput {
  readonly #services: Services;
  readonly #connection: Connection;
  readonly #door: SocketDoor;
  readonly #fault: Fault | undefined;
  readonly #contexts = new Map<string, Context>();
  readonly #finished = new Set<string>();
  /** Runs while there is no context. */
  readonly #idle: IdleTimer;
  #characters = 0;
  #closing = false;

  constructor(services: Services, connection: Connection, options: SocketOptions) {
    this.#services = services;
    this.#connection = connection;
    this.#fault = options.fault;
    this.#door = new SocketDoor(services, connection, options, {
      onMessage: (message) => this.#onMessage(message),
      onMalformed: (error) => this.#refuse(error),
      onRefused: (error) => this.#refuse(error),
    });
    this.#idle = new IdleTimer(this.#door.idleMs, connection.signal, () => this.#onIdle(undefined));
    this.#door.open();
  }

  #refuse(error: ServiceError): void {
    this.#idle.stop();
    for (const { idle } of this.#contexts.values()) idle.stop();
    this.#connection.fail(error);
  }

  #onIdle(context: Context | undefined): void {
    // On a socket without contexts nothing was left unsaid.
    if (context !== undefined && context.buffer.length > 0) this.#connection.witness.violation("unsent-end");
    this.#refuse(serviceErrors.idle(this.#door.idleMs / 1000));
  }

  #onMessage(message: ClientMessage): void {
    if (this.#connection.over || this.#closing || !this.#door.admit(message)) return;
    const { query } = this.#door;
    if (query === undefined) return;
    if (message.closeSocket) void this.#closeSocket(query);
    else this.#route(message, query);
  }

  #route(message: ClientMessage, query: SocketQuery): void {
    const { witness } = this.#connection;
    const id = message.contextId ?? DEFAULT_CONTEXT;
    const known = this.#contexts.get(id);
    if (known !== undefined) {
      this.#take(message, known, query);
      return;
    }
    const isOpening = message.text === " " || Object.keys(message.settings.written).length > 0;
    if (this.#finished.has(id) && !isOpening) {
      // Dropped without an error; only real text is more than a message that crossed the final one.
      if ((message.text ?? "").trim() !== "") witness.violation("text-after-end");
      return;
    }
    if (message.closeContext) return;
    if (this.#contexts.size >= MAX_CONTEXTS) {
      witness.violation("too-many-contexts");
      this.#refuse(serviceErrors.tooManyContexts(MAX_CONTEXTS));
      return;
    }
    this.#speak(message, this.#open(id, message, query), query);
  }

  #open(id: string, message: ClientMessage, query: SocketQuery): Context {
    this.#connection.witness.opening();
    this.#finished.delete(id);
    this.#idle.pause();
    const { settings } = message;
    const context: Context = {
      id,
      opening: settings,
      buffer: new TextBuffer({ schedule: settings.schedule, autoMode: query.autoMode }),
      speaker: new Speaker(this.#services, this.#connection, query, {
        settings: settings.voiceSettings,
        fault: this.#fault,
        contextId: id,
      }),
      idle: new IdleTimer(this.#door.idleMs, this.#connection.signal, () => this.#onIdle(context)),
      closing: undefined,
    };
    this.#contexts.set(id, context);
    return context;
  }

  #take(message: ClientMessage, context: Context, query: SocketQuery): void {
    const { witness } = this.#connection;
    if (context.closing !== undefined) {
      if ((message.text ?? "").trim() !== "") witness.violation("text-after-end");
      return;
    }
    const changed = changedSetting(context.opening, message.settings);
    if (changed !== undefined) {
      witness.violation("changed-settings");
      this.#refuse(serviceErrors.changedSetting(changed));
      return;
    }
    context.idle.restart();
    this.#speak(message, context, query);
    if (message.closeContext && !this.#connection.over) context.closing = this.#close(context, query);
  }

  #speak(message: ClientMessage, { buffer, speaker }: Context, { model }: SocketQuery): void {
    const { witness } = this.#connection;
    const text = message.text ?? "";
    if (text.trim() !== "") {
      witness.text(text.length);
      this.#characters += text.length;
    } else if (message.text === "" && !message.flush && !message.closeContext) witness.keepAlive();
    if (message.flush) witness.flush();
    if (buffer.length + text.length > model.maxCharacters) {
      this.#refuse(serviceErrors.textTooLong(model.maxCharacters));
      return;
    }
    // The opening's one space is no text.
    const spoken = text === " " && buffer.length === 0 ? "" : text;
    const { flush, tryTrigger } = message;
    for (const generation of buffer.push({ text: spoken, flush, tryTrigger })) speaker.say(generation);
  }

  /** Text that was neither flushed nor spoken by `auto_mode` is dropped; the final message frees the slot. */
  async #close(context: Context, query: SocketQuery): Promise<void> {
    context.idle.stop();
    this.#connection.witness.end();
    if (query.autoMode) for (const generation of context.buffer.end()) context.speaker.say(generation);
    if (this.#fault?.name === "flush-close-race" && !context.speaker.hasSpoken) context.speaker.silence();
    await context.speaker.finished();
    if (this.#fault?.name === "final-missing") return;
    await this.#connection.send(finalMessage(context.id), { final: true, context: context.id });
    this.#contexts.delete(context.id);
    this.#remember(context.id);
    if (this.#contexts.size === 0 && !this.#closing) this.#idle.resume();
    if (this.#fault?.name === "late-audio-after-close") void context.speaker.haunt();
  }

  /** Flushes every context, then closes. */
  async #closeSocket(query: SocketQuery): Promise<void> {
    this.#closing = true;
    this.#idle.stop();
    const closing = [...this.#contexts.values()].map((context) => {
      if (context.closing !== undefined) return context.closing;
      for (const generation of context.buffer.end()) context.speaker.say(generation);
      context.closing = this.#close(context, query);
      return context.closing;
    });
    await Promise.all(closing);
    this.#connection.finish();
  }

  #remember(id: string): void {
    this.#finished.add(id);
    if (this.#finished.size <= MAX_FINISHED) return;
    for (const oldest of this.#finished) {
      this.#finished.delete(oldest);
      break;
    }
  }
}
