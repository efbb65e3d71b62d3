import { type Fault, faultDurationMs } from "../faults/faults.ts";
import { serviceErrors } from "../faults/service-error.ts";
import type { Services } from "../services.ts";
import { type Speech, speak } from "../speech/compose.ts";
import { passed, reached } from "../timing.ts";
import { withTrailingSpace } from "../voice/render.ts";
import { toSpeechParameters } from "../voice/speech-parameters.ts";
import type { VoiceSettings } from "../voice/voice-settings.ts";
import { type AudioFormat, parseAudioFormat } from "../wire/audio-format.ts";
import {
  type AudioMessage,
  bareAudioMessage,
  type Generation,
  toAudioMessages,
  toLastMessages,
} from "../wire/audio-messages.ts";
import { type AudioEncoder, openEncoder } from "../wire/encode-audio.ts";
import type { Connection } from "./connection.ts";
import type { SocketQuery } from "./socket-query.ts";

/** The reason of a close that no error message precedes. */
const WORDS = "Internal error: the voice backend could not be reached";
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
  readonly #format: AudioFormat;
  /** Holds what an mp3 encoder carries from generation to generation. */
  readonly #encoder: Promise<AudioEncoder>;
  #chain: Promise<void> = Promise.resolve();
  /** Generations asked for and not begun. */
  #waiting = 0;
  #ending = false;
  /** The end of the last generation's audio, not sent yet, and what names it. */
  #held: Int16Array = new Int16Array();
  #heldKey = "";
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
    this.#format = formatUnder(options.fault, query.format);
    this.#encoder = openEncoder(this.#format);
  }

  /** Audio has been sent, or is being sent. */
  get hasSpoken(): boolean {
    return this.#sentAudioMs > 0;
  }

  /** Triggers a generation now. */
  say(text: string): void {
    const triggeredMs = performance.now();
    this.#waiting++;
    const rendering = this.#render(withTrailingSpace(text));
    // Met where it is awaited; until then it must not count as unhandled.
    rendering.catch(() => {});
    this.#chain = this.#chain.then(() => this.#generate(rendering, triggeredMs));
  }

  /** What is still waiting or being spoken is not sent. */
  silence(): void {
    this.#silenced = true;
  }

  /** No generation follows; all are sent, and what was held back of them. */
  async finished(): Promise<void> {
    this.#ending = true;
    await this.#chain;
    if (!this.hasSpoken || this.#over) return;
    const rest = toLastMessages(this.#held, {
      encoder: await this.#encoder,
      format: this.#format,
      contextId: this.#contextId,
      fault: this.#fault,
      cutAtMs: this.#cutAtMs,
      sampleRateHz: this.#format.sampleRateHz,
    });
    await this.#send(rest);
  }

  /** Unexpected audio until the connection is gone: for the fault late-audio-after-close. */
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
    const { voice, model, language, seed, autoMode } = this.#query;
    const parameters = toSpeechParameters({ voice, model, language, seed, settings: this.#settings });
    const speech = await speak(this.#services.engine, {
      text,
      parameters,
      sampleRateHz: this.#format.sampleRateHz,
      clip: autoMode,
    });
    return { speech, key: JSON.stringify([parameters, autoMode, text]) };
  }

  async #generate(rendering: Promise<Rendered>, triggeredMs: number): Promise<void> {
    const { slots } = this.#services;
    const { timing, signal } = this.#connection;
    this.#waiting--;
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
      const { messages, held } = await this.#encode(rendered);
      this.#held = held;
      this.#heldKey = rendered.key;
      await this.#send(messages);
      if (this.#fault?.name === "endless-audio") await this.#repeat(messages);
    } catch {
      this.#connection.fail(serviceErrors.wentWrong());
    } finally {
      this.#lastEndMs = performance.now();
      slots.leave();
    }
  }

  /** The place where a fault strikes, on the clock of what is sent next. */
  get #cutAtMs(): number | undefined {
    const afterMs = this.#fault?.afterMs;
    return afterMs === undefined || this.#struck ? undefined : afterMs - this.#sentAudioMs;
  }

  async #encode({ speech, key }: Rendered): Promise<Generation> {
    const { encoded } = this.#services;
    const { syncAlignment, autoMode } = this.#query;
    const format = this.#format;
    const fault = this.#fault;
    const held = this.#held;
    const cutAtMs = this.#cutAtMs;
    const last = this.#ending && this.#waiting === 0;
    const make = async () =>
      toAudioMessages(speech, {
        format,
        encoder: await this.#encoder,
        key,
        syncAlignment,
        autoMode,
        held,
        last,
        fault,
        cutAtMs,
        contextId: this.#contextId,
      });
    if (format.codec === "mp3" || this.#contextId !== undefined) return make();
    const before = held.length === 0 ? "" : `${held.length} ${this.#heldKey}`;
    const memoKey = JSON.stringify([key, format.name, syncAlignment, fault, cutAtMs, last, before]);
    const known = encoded.get(memoKey);
    if (known !== undefined) return known;
    const made = await make();
    const bytes = made.messages.reduce((sum, { frame }) => sum + frame.length, made.held.byteLength);
    encoded.set(memoKey, made, bytes);
    return made;
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
      const { frame, binary = false, audioBytes } = message;
      await this.#connection.send(frame, { ...this.#told(), audioBytes }, binary);
      this.#sentAudioMs = before + message.audioUntilMs;
      const strikesMs = performance.now();
      if (!(await this.#strike())) return;
      stalledMs += performance.now() - strikesMs;
    }
  }

  async #repeat(messages: readonly AudioMessage[]): Promise<void> {
    // A wait each time: a socket that is being closed takes frames at once, and lets nothing else run.
    while (!this.#over && (await passed(1, this.#connection.signal))) await this.#send(messages);
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
      case "named-error":
        this.#connection.fail(serviceErrors.named(fault.errorName));
        return false;
      case "close-with-words":
        this.#connection.finish(undefined, 1011, WORDS);
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
        this.#connection.fail(
          fault.errorName === undefined ? serviceErrors.wentWrong() : serviceErrors.named(fault.errorName),
        );
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

/** What the audio is sent in: what was asked for, unless a fault says otherwise. */
function formatUnder(fault: Fault | undefined, asked: AudioFormat): AudioFormat {
  const name = fault?.name;
  if (name !== "wrong-codec" && name !== "wrong-rate") return asked;
  const rateHz = asked.name === "pcm_16000" ? 8_000 : 16_000;
  const other = parseAudioFormat(name === "wrong-codec" ? "mp3_44100_128" : `pcm_${rateHz}`);
  return typeof other === "string" ? asked : other;
}
