import { GatewayError } from "@tts-labs/protocol/errors";
import type { SynthesisAudio } from "../../synthesizer.ts";
import { type IgnoredReason, type ProviderMessage, parseProviderMessage } from "../messages.ts";
import { type Received, RunClock } from "../run-clock.ts";
import { PcmGate, toFormatError } from "./audio-format.ts";
import type { AlignmentRefusal } from "./provider-alignment.ts";
import { SoundPace } from "./sound-pace.ts";

export interface IntakeLimits {
  /** Most timed characters for each character sent; the text as spoken is longer than as written. */
  readonly timedPerCharacter: number;
  /** Most audio for each character sent: markup such as `<break time="3s"/>` buys pauses by its length. */
  readonly audioMsPerCharacter: number;
  /** Allowed on top, whatever the text. */
  readonly extraTimedCharacters: number;
  readonly extraAudioMs: number;
}

/** Fast speech has 25 characters a second, slow speech 8. */
export const DEFAULT_INTAKE: IntakeLimits = {
  timedPerCharacter: 4,
  audioMsPerCharacter: 1_000,
  extraTimedCharacters: 100,
  extraAudioMs: 30_000,
};

export interface IntakeOptions {
  readonly sampleRateHz: number;
  /** Characters sent so far. */
  readonly sentCharacters: () => number;
  readonly limits?: IntakeLimits;
  readonly refused: (reason: AlignmentRefusal) => void;
  /** A message was passed over. */
  readonly ignored?: (reason: IgnoredReason) => void;
}

/**
 * The one place where a provider's speech is doubted: is it PCM of the rate asked for, is it no longer than its text
 * can take, are its times believable. Bad times are dropped and counted; bad audio is a fault of the provider's.
 */
export class SpeechIntake {
  readonly #options: IntakeOptions;
  readonly #limits: IntakeLimits;
  readonly #clock: RunClock;
  readonly #gate = new PcmGate();
  readonly #pace: SoundPace;
  #timedCharacters = 0;
  /** Why the last message that was not understood was passed over. */
  #ignored: IgnoredReason | undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#limits = options.limits ?? DEFAULT_INTAKE;
    this.#clock = new RunClock(options.sampleRateHz, options.refused);
    this.#pace = new SoundPace(options.sampleRateHz);
  }

  /** Never throws. */
  parse(data: Buffer, binary: boolean): ProviderMessage {
    const message = parseProviderMessage(data, binary, {
      maxCharacters: this.#maxTimedCharacters - this.#timedCharacters,
      maxMs: this.#maxAudioMs,
      refused: this.#options.refused,
    });
    if (message.kind === "ignored") {
      this.#ignored = message.reason;
      this.#options.ignored?.(message.reason);
    }
    return message;
  }

  /** A run that brought no sound may have brought something that was not understood: the error says so. */
  explain(error: GatewayError): GatewayError {
    if (this.#ignored === undefined || this.samples > 0) return error;
    return error.withFacts({ ignored: this.#ignored });
  }

  /** Whole samples received. */
  get samples(): number {
    return this.#clock.samples;
  }

  get elapsedMs(): number {
    return this.#clock.elapsedMs;
  }

  /** @throws GatewayError `provider.wrong_format`, `provider.too_much_audio` */
  receive({
    audio,
    alignment,
  }: Pick<Extract<ProviderMessage, { kind: "speech" }>, "audio" | "alignment">): Received {
    this.#timedCharacters += alignment?.chars.length ?? 0;
    const received = this.#clock.receive(this.#gate.pass(audio), alignment);
    if (this.elapsedMs > this.#maxAudioMs) throw this.#toTooMuch();
    if (this.#pace.isWrongAfter(received.timed, received.chunk?.pcm ?? NO_PCM)) throw toFormatError("pace");
    return received;
  }

  /** The rest, when the provider has said that this was all. @throws GatewayError `provider.wrong_format` */
  finish(): readonly SynthesisAudio[] {
    const { chunk } = this.#clock.receive(this.#gate.finish(), undefined);
    if (this.#pace.isWrongAtEnd()) throw toFormatError("pace");
    const late = this.#clock.finish();
    return [
      ...(chunk === undefined ? [] : [chunk]),
      ...(late === undefined ? [] : [{ pcm: NO_PCM, alignment: late }]),
    ];
  }

  get #maxTimedCharacters(): number {
    const { timedPerCharacter, extraTimedCharacters } = this.#limits;
    return timedPerCharacter * this.#options.sentCharacters() + extraTimedCharacters;
  }

  get #maxAudioMs(): number {
    const { audioMsPerCharacter, extraAudioMs } = this.#limits;
    return audioMsPerCharacter * this.#options.sentCharacters() + extraAudioMs;
  }

  #toTooMuch(): GatewayError {
    const facts = { audioMs: Math.round(this.elapsedMs), characters: this.#options.sentCharacters() };
    return new GatewayError("provider.too_much_audio", undefined, { facts });
  }
}

const NO_PCM = Buffer.alloc(0);
