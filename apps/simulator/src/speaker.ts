import type { Connection } from "./connection.ts";
import { type Fault, faultDurationMs } from "./faults.ts";
import { withTrailingSpace } from "./render.ts";
import { serviceErrors } from "./service-error.ts";
import type { Services } from "./services.ts";
import type { SocketQuery } from "./socket-query.ts";
import { type Speech, speak } from "./speech/compose.ts";
import { toSpeechParameters } from "./speech-parameters.ts";
import { passed, reached } from "./timing.ts";
import type { VoiceSettings } from "./voice-settings.ts";
import { type AudioMessage, bareAudioMessage, toAudioMessages } from "./wire/audio-messages.ts";
import { type AudioEncoder, openEncoder } from "./wire/encode-audio.ts";

const HAUNTINGS = 10;
const HAUNTING_MS = 20;

/**
 * Speaks the generations of one utterance (or context) in order: renders, keeps to the timing model, sends,
 * and misbehaves where a fault says so. Generations wait in a chain whose length the text limit bounds.
 */
export class Speaker {
  readonly #services: Services;
  readonly #connection: Connection;
  readonly #query: SocketQuery;
  readonly #settings: VoiceSettings | undefined;
  readonly #fault: Fault | undefined;
  readonly #contextId: string | undefined;
  /** Holds what an mp3 encoder carries from generation to generation. */
  readonly #encoder: Promise<AudioEncoder>;
  #chain: Promise<void> = Promise.resolve();
  #lastEndMs = Number.NEGATIVE_INFINITY;
  #sentAudioMs = 0;
  #struck = false;
  #silenced = false;

  constructor(
    services: Services,
    connection: Connection,
    query: SocketQuery,
    options: {
      readonly settings?: VoiceSettings | undefined;
      readonly fault?: Fault | undefined;
      readonly contextId?: string | undefined;
    },
  ) {
    this.#services = services;
    this.#connection = connection;
    this.#query = query;
    this.#settings = options.settings;
    this.#fault = options.fault;
    this.#contextId = options.contextId;
    this.#encoder = openEncoder(query.format);
  }

  /** Audio has been sent, or is being sent. */
  get hasSpoken(): boolean {
    return this.#sentAudioMs > 0;
  }

  /** Triggers a generation now. */
  say(text: string): void {
    const triggeredMs = performance.now();
    const rendering = this.#render(withTrailingSpace(text));
    // Met where it is awaited; until then it must not count as unhandled.
    rendering.catch(() => {});
    this.#chain = this.#chain.then(() => this.#generate(rendering, triggeredMs));
  }

  /** What is still waiting or being spoken is not sent. */
  silence(): void {
    this.#silenced = true;
  }

  /** All generations so far are sent, and what the encoder held of them. */
  async finished(): Promise<void> {
    await this.#chain;
    const rest = (await this.#encoder).finish();
    if (rest.length > 0 && this.hasSpoken) {
      await this.#connection.send(bareAudioMessage(rest, this.#contextId), { audioBytes: rest.length });
    }
  }

  /** Audio that nobody waits for, until the connection is gone: for the fault late-audio-after-close. */
  async haunt(): Promise<void> {
    const silence = bareAudioMessage(Buffer.alloc(480), this.#contextId);
    for (let i = 0; i < HAUNTINGS && !this.#connection.signal.aborted; i++) {
      await this.#connection.late(silence);
      if (!(await passed(HAUNTING_MS, this.#connection.signal))) return;
    }
  }

  get #over(): boolean {
    return this.#silenced || this.#connection.over;
  }

  async #render(text: string): Promise<Rendered> {
    const { voice, model, language, seed, format, autoMode } = this.#query;
    const parameters = toSpeechParameters({ voice, model, language, seed, settings: this.#settings });
    const speech = await speak(this.#services.engine, {
      text,
      parameters,
      sampleRateHz: format.sampleRateHz,
      clip: autoMode,
    });
    return { speech, key: JSON.stringify([parameters, autoMode, text]) };
  }

  async #generate(rendering: Promise<Rendered>, triggeredMs: number): Promise<void> {
    const { slots } = this.#services;
    const { timing, signal } = this.#connection;
    if (this.#over) return;
    if (!(await slots.enter(timing.queueWaitMs(), signal))) {
      this.#connection.fail(serviceErrors.tooManyConcurrent(slots.limit));
      return;
    }
    try {
      this.#connection.witness.generation();
      const firstAudioMs = triggeredMs + timing.firstAudioMs(this.#query.model);
      const dueMs = Math.max(firstAudioMs, this.#lastEndMs + timing.generationGapMs());
      const rendered = await rendering;
      if (!(await reached(dueMs, signal)) || this.#over) return;
      if (!(await this.#mayBegin())) return;
      await this.#send(await this.#encode(rendered));
    } catch {
      this.#connection.fail(serviceErrors.wentWrong());
    } finally {
      this.#lastEndMs = performance.now();
      slots.leave();
    }
  }

  async #encode({ speech, key }: Rendered): Promise<readonly AudioMessage[]> {
    const { encoded } = this.#services;
    const { format, syncAlignment } = this.#query;
    const afterMs = this.#fault?.afterMs;
    const cutAtMs = afterMs === undefined || this.#struck ? undefined : afterMs - this.#sentAudioMs;
    const make = async () =>
      toAudioMessages(speech, {
        format,
        encoder: await this.#encoder,
        key,
        syncAlignment,
        fault: this.#fault,
        cutAtMs,
        contextId: this.#contextId,
      });
    if (format.codec === "mp3" || this.#contextId !== undefined) return make();
    const memoKey = JSON.stringify([key, format.name, syncAlignment, this.#fault?.name, cutAtMs]);
    const known = encoded.get(memoKey);
    if (known !== undefined) return known;
    const messages = await make();
    encoded.set(
      memoKey,
      messages,
      messages.reduce((sum, { frame }) => sum + frame.length, 0),
    );
    return messages;
  }

  async #send(messages: readonly AudioMessage[]): Promise<void> {
    const { timing, signal } = this.#connection;
    const beganMs = performance.now();
    const firstMs = messages[0]?.audioUntilMs ?? 0;
    const before = this.#sentAudioMs;
    let stalledMs = 0;
    for (const message of messages) {
      const atMs = beganMs + stalledMs + timing.generationMs(message.audioUntilMs - firstMs);
      if (!(await reached(atMs, signal)) || this.#over) return;
      for (const junk of message.before) await this.#connection.send(junk, this.#told());
      await this.#connection.send(message.frame, { ...this.#told(), audioBytes: message.audioBytes });
      this.#sentAudioMs = before + message.audioUntilMs;
      const strikesMs = performance.now();
      if (!(await this.#strike())) return;
      stalledMs += performance.now() - strikesMs;
    }
  }

  #told(): { context?: string } {
    return this.#contextId === undefined ? {} : { context: this.#contextId };
  }

  /** Faults of the moment when the first audio is due. Whether to go on. */
  async #mayBegin(): Promise<boolean> {
    const fault = this.#fault;
    if (fault === undefined || this.hasSpoken || this.#struck) return fault?.name !== "quota-silence";
    switch (fault.name) {
      case "drop-before-audio":
        this.#connection.drop();
        return false;
      case "quota-error":
        this.#connection.fail(serviceErrors.quota());
        return false;
      case "quota-silence":
        return false;
      case "stall-before-audio":
        this.#struck = true;
        return await passed(faultDurationMs(fault), this.#connection.signal);
      default:
        return true;
    }
  }

  /** Faults of the stretch after some audio. Whether to go on. */
  async #strike(): Promise<boolean> {
    const fault = this.#fault;
    // Half a sample of rounding is forgiven.
    if (fault === undefined || this.#struck || this.#sentAudioMs < (fault.afterMs ?? 0) - 0.07) return true;
    switch (fault.name) {
      case "drop-after-audio":
        this.#struck = true;
        this.#connection.drop();
        return false;
      case "error-mid-stream":
        this.#struck = true;
        this.#connection.fail(serviceErrors.wentWrong());
        return false;
      case "stall-mid-segment":
        this.#struck = true;
        return await passed(faultDurationMs(fault), this.#connection.signal);
      default:
        return true;
    }
  }
}

interface Rendered {
  readonly speech: Speech;
  readonly key: string;
}
