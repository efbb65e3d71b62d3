import { randomInt } from "node:crypto";
import { OPUS_RATE_HZ, type OutputFormat } from "../output-format.ts";
import type { Codec } from "./codec.ts";
import { BEGIN_OF_STREAM, END_OF_STREAM, encodeOggPage, fitsPage } from "./ogg-page.ts";
import { type OpusPackets, openOpusPackets } from "./opus-packets.ts";

const PACKET_SAMPLES = (OPUS_RATE_HZ * 20) / 1_000;
const VENDOR = "tts-labs";

/** Opus in Ogg (RFC 7845). Packets that become ready together share a page, so that nothing waits for a fuller one. */
export async function openOggOpus(format: OutputFormat, inputHz: number): Promise<Codec> {
  return new OggOpus(await openOpusPackets(format, inputHz), inputHz);
}

class OggOpus implements Codec {
  readonly #packets: OpusPackets;
  readonly #inputHz: number;
  readonly #serial = randomInt(2 ** 31);
  #sequence = 0;
  /** Samples at 48 kHz in all packets so far. */
  #granule = 0;

  constructor(packets: OpusPackets, inputHz: number) {
    this.#packets = packets;
    this.#inputHz = inputHz;
  }

  encode(samples: Int16Array): Uint8Array<ArrayBuffer>[] {
    return this.#pages(this.#packets.encode(samples));
  }

  finish(): Uint8Array<ArrayBuffer>[] {
    const packets = this.#packets.finish();
    const last = packets.pop();
    const pages = this.#pages(packets);
    if (last === undefined) return pages;
    // Decoders cut what lies behind this: the silence that filled the last packet up.
    const end = this.#packets.preSkip + this.#packets.takenSamples();
    return [...pages, this.#page([last], end, END_OF_STREAM)];
  }

  close(): void {
    this.#packets.close();
  }

  #pages(packets: Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer>[] {
    const pages = this.#sequence === 0 ? this.#headers() : [];
    for (let rest = packets; rest.length > 0; ) {
      let count = rest.length;
      while (!fitsPage(rest.slice(0, count))) count = Math.ceil(count / 2);
      this.#granule += count * PACKET_SAMPLES;
      pages.push(this.#page(rest.slice(0, count), this.#granule, 0));
      rest = rest.slice(count);
    }
    return pages;
  }

  #headers(): Uint8Array<ArrayBuffer>[] {
    const head = Buffer.alloc(19);
    head.write("OpusHead", 0, "latin1");
    head.writeUInt8(1, 8);
    head.writeUInt8(1, 9);
    head.writeUInt16LE(this.#packets.preSkip, 10);
    head.writeUInt32LE(this.#inputHz, 12);
    const tags = Buffer.alloc(8 + 4 + VENDOR.length + 4);
    tags.write("OpusTags", 0, "latin1");
    tags.writeUInt32LE(VENDOR.length, 8);
    tags.write(VENDOR, 12, "latin1");
    return [this.#page([head], 0, BEGIN_OF_STREAM), this.#page([tags], 0, 0)];
  }

  #page(packets: readonly Uint8Array[], granule: number, flags: number): Uint8Array<ArrayBuffer> {
    return encodeOggPage({ serial: this.#serial, sequence: this.#sequence++, flags, granule, packets });
  }
}
