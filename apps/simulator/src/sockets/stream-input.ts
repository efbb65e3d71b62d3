import { type Fault, faultDurationMs } from "../faults/faults.ts";
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

/** How a stream-input socket stands towards its client. */
type State =
  /** Nothing has come yet. */
  | { readonly kind: "waiting" }
  /** The opening has come: text is taken. */
  | {
      readonly kind: "open";
      readonly query: SocketQuery;
      readonly opening: Settings;
      readonly buffer: TextBuffer;
      readonly speaker: Speaker;
    }
  /** The end has come, or the key, voice or query was refused: text means nothing any more. */
  | { readonly kind: "ended" };

type Open = Extract<State, { readonly kind: "open" }>;

/** One `stream-input` socket (docs/elevenlabs.md 1.3–1.7): opening, text, end, audio, final, close. */
export class StreamInput {
  readonly #services: Services;
  readonly #connection: Connection;
  readonly #door: SocketDoor;
  readonly #fault: Fault | undefined;
  readonly #idle: IdleTimer;
  #state: State = { kind: "waiting" };
  #characters = 0;

  constructor(services: Services, connection: Connection, options: SocketOptions) {
    this.#services = services;
    this.#connection = connection;
    this.#fault = options.fault;
    this.#door = new SocketDoor(services, connection, options, {
      onMessage: (message) => this.#onMessage(message),
      onMalformed: (error) => {
        if (this.#state.kind !== "ended") this.#refuse(error);
      },
      onRefused: (error) => this.#refuse(error),
    });
    this.#idle = new IdleTimer(this.#door.idleMs, connection.signal, () => this.#onIdle());
    this.#door.open();
  }

  #refuse(error: ServiceError): void {
    this.#state = { kind: "ended" };
    this.#idle.stop();
    this.#connection.fail(error);
  }

  #onIdle(): void {
    if (this.#characters > 0) this.#connection.witness.violation("unsent-end");
    this.#refuse(serviceErrors.idle(this.#door.idleMs / 1000));
  }

  #onMessage(message: ClientMessage): void {
    switch (this.#state.kind) {
      case "waiting":
        this.#open(message);
        break;
      case "open":
        this.#take(message, this.#state);
        break;
      case "ended":
        this.#takeLate(message);
        break;
    }
  }

  #open(message: ClientMessage): void {
    const { witness } = this.#connection;
    this.#idle.restart();
    witness.opening();
    if (!this.#door.admit(message)) return;
    const { query } = this.#door;
    // A voice or query that is refused soon: what comes meanwhile is not spoken.
    if (query === undefined) {
      this.#state = { kind: "ended" };
      return;
    }
    const { voiceSettings: settings, schedule } = message.settings;
    const open = {
      kind: "open",
      query,
      opening: message.settings,
      buffer: new TextBuffer({ schedule, autoMode: query.autoMode }),
      speaker: new Speaker(this.#services, this.#connection, query, { settings, fault: this.#fault }),
    } as const;
    this.#state = open;
    if (message.text === "" && !message.flush) {
      this.#end(open);
      return;
    }
    const text = message.text ?? "";
    if (text.trim() === "") return;
    // Whether the real service takes text in its opening is not known; we do, and tell.
    witness.violation("text-before-opening");
    this.#speak(text, message, open);
  }

  #take(message: ClientMessage, open: Open): void {
    const { witness } = this.#connection;
    this.#idle.restart();
    if (Object.keys(message.settings.written).length > 0 || message.key !== undefined) {
      const changed = changedSetting(open.opening, message.settings);
      if (changed !== undefined) {
        witness.violation("changed-settings");
        this.#refuse(serviceErrors.changedSetting(changed));
        return;
      }
      if (message.text === " ") witness.violation("second-opening");
    }
    const { text } = message;
    const endsByFlush = this.#fault?.name === "eos-flush-ambiguous" && message.flush;
    if (text === "" && (!message.flush || endsByFlush)) {
      this.#end(open);
      return;
    }
    if (text === undefined && !message.flush) return;
    if (this.#fault?.name === "idle-kill-at-checkout" && text !== undefined && text.trim() !== "") {
      this.#refuse(serviceErrors.idle(open.query.inactivitySeconds));
      return;
    }
    this.#speak(text ?? "", message, open);
  }

  #speak(text: string, message: ClientMessage, open: Open): void {
    const { witness } = this.#connection;
    const { query, buffer, speaker } = open;
    if (text.trim() !== "") {
      witness.text(text.length);
      this.#characters += text.length;
    } else if (text !== "") witness.keepAlive();
    if (message.flush) witness.flush();
    const limit = query.model.maxCharacters;
    if (this.#characters > limit || buffer.length + text.length > limit) {
      this.#refuse(serviceErrors.textTooLong(limit));
      return;
    }
    const { flush, tryTrigger } = message;
    for (const generation of buffer.push({ text, flush, tryTrigger })) speaker.say(generation);
  }

  #end({ buffer, speaker }: Open): void {
    this.#state = { kind: "ended" };
    this.#idle.stop();
    this.#connection.witness.end();
    for (const generation of buffer.end()) speaker.say(generation);
    void this.#finish(speaker);
  }

  /** The final message in the burst of the last audio, the close a while later. */
  async #finish(speaker: Speaker): Promise<void> {
    const connection = this.#connection;
    await speaker.finished();
    const fault = this.#fault;
    if (fault?.name === "final-missing") {
      connection.finish(fault.forMs);
      return;
    }
    await connection.send(finalMessage(), { final: true });
    connection.finish(fault?.name === "slow-close" ? faultDurationMs(fault) : undefined);
    if (fault?.name === "late-audio-after-close") await speaker.haunt();
  }

  #takeLate(message: ClientMessage): void {
    const { witness } = this.#connection;
    if (!this.#door.isAdmitted || this.#door.query === undefined) return;
    // After an error of ours the client may not have read it yet: no fault of its.
    if (witness.log.ends === 0) return;
    if (message.text === "") {
      witness.violation("second-end");
      return;
    }
    witness.violation("text-after-end");
    if (this.#fault?.name === "text-after-eos-error") this.#connection.fail(serviceErrors.textAfterEnd());
  }
}
