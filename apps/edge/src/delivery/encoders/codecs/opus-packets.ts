import { Application, createEncoder, type OpusEncoderHandle, type SampleRate, Signal } from "libopus-wasm";
import { OPUS_RATE_HZ, type OutputFormat } from "../output-format.ts";
import { type Codec, copyOf } from "./codec.ts";

const PACKET_MS = 20;
/** From 0 to 10; 5 is a fifth of the cost of 10, and the same to the ear for speech at these rates. */
const COMPLEXITY = 5;
/** What Opus takes without a resampler of ours. */
const RATES_HZ: readonly number[] = [8_000, 12_000, 16_000, 24_000, 48_000];

/** The rate to feed Opus with, for samples that have this one. */
export const opusInputHz = (fromHz: number): number => (RATES_HZ.includes(fromHz) ? fromHz : OPUS_RATE_HZ);

export interface OpusPackets extends Codec {
  /** Samples at 48 kHz that a decoder throws away at the start. */
  readonly preSkip: number;
  /** Samples at 48 kHz that were taken so far. */
  readonly takenSamples: () => number;
}

/** Opus packets of 20 ms. The last is filled up with silence, behind which the encoder's delay is pushed out. */
export async function openOpusPackets({ bitrateKbps }: OutputFormat, inputHz: number): Promise<OpusPackets> {
  const encoder = await createEncoder({
    channels: 1,
    sampleRate: inputHz as SampleRate,
    bitrate: (bitrateKbps ?? 32) * 1_000,
    application: Application.Audio,
    signal: Signal.Voice,
    complexity: COMPLEXITY,
  });
  return new PacketEncoder(encoder, inputHz);
}

class PacketEncoder implements OpusPackets {
  readonly #encoder: OpusEncoderHandle;
  readonly #scale: number;
  readonly #packet: Int16Array;
  #filled = 0;
  #taken = 0;

  constructor(encoder: OpusEncoderHandle, inputHz: number) {
    this.#encoder = encoder;
    this.#scale = OPUS_RATE_HZ / inputHz;
    this.#packet = new Int16Array((inputHz * PACKET_MS) / 1_000);
  }

  get preSkip(): number {
    return this.#encoder.getLookahead() * this.#scale;
  }

  takenSamples(): number {
    return this.#taken * this.#scale;
  }

  encode(samples: Int16Array): Uint8Array<ArrayBuffer>[] {
    this.#taken += samples.length;
    return this.#pack(samples);
  }

  finish(): Uint8Array<ArrayBuffer>[] {
    const delay = this.#encoder.getLookahead();
    const rest = this.#filled + delay;
    const silence = Math.ceil(rest / this.#packet.length) * this.#packet.length - this.#filled;
    return this.#pack(new Int16Array(silence));
  }

  close(): void {
    this.#encoder.free();
  }

  #pack(samples: Int16Array): Uint8Array<ArrayBuffer>[] {
    const packets: Uint8Array<ArrayBuffer>[] = [];
    for (let at = 0; at < samples.length; ) {
      const part = samples.subarray(at, at + this.#packet.length - this.#filled);
      this.#packet.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < this.#packet.length) break;
      packets.push(copyOf(this.#encoder.encode(this.#packet)));
      this.#filled = 0;
    }
    return packets;
  }
}
