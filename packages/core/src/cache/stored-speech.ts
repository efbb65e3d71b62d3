import { crc32 } from "node:zlib";
import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { type Caption, packCaptions, unpackCaptions } from "./packed-captions.ts";

/** A complete, successful utterance. */
export interface Speech {
  readonly voice: string;
  readonly sampleRateHz: number;
  /** Characters of text the provider was given. */
  readonly characters: number;
  readonly pcm: Uint8Array;
  readonly captions: readonly Caption[];
}

/**
 * Bytes of audio in one field: small enough that the first of them arrives at once, large enough that there are
 * few; with Redis' own header it fills an allocation of 32 KiB without a rest.
 */
export const CHUNK_BYTES = 32 * 1024 - 64;
const FORMAT_VERSION = 1;

/** What is known of an entry before its audio. */
export interface SpeechFacts {
  readonly voice: string;
  readonly sampleRateHz: number;
  readonly characters: number;
  readonly samples: number;
  readonly captions: readonly Caption[];
  /** Checksum of each chunk, to tell damage from speech. */
  readonly checksums: readonly number[];
}

interface Head {
  readonly v: number;
  readonly voice: string;
  readonly rate: number;
  readonly chars: number;
  readonly samples: number;
  /** Of the packed captions, and of each chunk. */
  readonly captions: number;
  readonly chunks: readonly number[];
}

/** The fields of an entry's hash: `head`, `captions`, and the audio in `0`, `1`, … */
export function toFields({ voice, sampleRateHz, characters, pcm, captions }: Speech): Map<string, Buffer> {
  const packed = packCaptions(captions);
  const chunks: Buffer[] = [];
  for (let at = 0; at < pcm.byteLength; at += CHUNK_BYTES) {
    chunks.push(toBuffer(pcm.subarray(at, at + CHUNK_BYTES)));
  }
  const head: Head = {
    v: FORMAT_VERSION,
    voice,
    rate: sampleRateHz,
    chars: characters,
    samples: pcm.byteLength / BYTES_PER_SAMPLE,
    captions: crc32(packed),
    chunks: chunks.map((chunk) => crc32(chunk)),
  };
  return new Map([
    ["head", Buffer.from(JSON.stringify(head))],
    ["captions", toBuffer(packed)],
    ...chunks.map((chunk, i) => [String(i), chunk] as const),
  ]);
}

/** @returns `undefined` where the fields are damaged, or of another version */
export function parseFacts(head: Uint8Array, packedCaptions: Uint8Array): SpeechFacts | undefined {
  try {
    const { v, voice, rate, chars, samples, captions, chunks } = JSON.parse(
      Buffer.from(head).toString(),
    ) as Head;
    if (v !== FORMAT_VERSION || captions !== crc32(packedCaptions)) return undefined;
    if (chunks.length !== Math.ceil((samples * BYTES_PER_SAMPLE) / CHUNK_BYTES)) return undefined;
    return {
      voice,
      samples,
      sampleRateHz: rate,
      characters: chars,
      checksums: chunks,
      captions: unpackCaptions(packedCaptions),
    };
  } catch {
    return undefined;
  }
}

/** Whether `chunk` is the entry's chunk of that number, whole. */
export function isIntact(facts: SpeechFacts, number: number, chunk: Uint8Array): boolean {
  const left = facts.samples * BYTES_PER_SAMPLE - number * CHUNK_BYTES;
  return chunk.byteLength === Math.min(CHUNK_BYTES, left) && crc32(chunk) === facts.checksums[number];
}

/** What an entry takes in Redis, about; Redis is asked once it is there. */
export const estimateBytes = (fields: ReadonlyMap<string, Buffer>): number => {
  let bytes = 512;
  for (const value of fields.values()) bytes += value.byteLength + 128;
  return bytes;
};

const toBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
