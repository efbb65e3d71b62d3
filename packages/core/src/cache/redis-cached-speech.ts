import { GatewayError } from "../errors.ts";
import { toStorageError } from "../redis/storage-error.ts";
import type { CachedSpeech, SpeechPiece } from "./audio-cache.ts";
import { SpeechPieces } from "./speech-pieces.ts";
import { isIntact, type SpeechFacts } from "./stored-speech.ts";

export interface CachedSpeechSource {
  /** @throws what Redis throws */
  fetch(firstChunk: number, count: number): Promise<readonly (Buffer | null)[]>;
  /** The entry is not whole any more. */
  onDamaged(): void;
}

/** Chunks asked for at once: 256 KiB, 5 s of speech, is all that an edge holds of an entry. */
const CHUNKS_AT_ONCE = 8;

/** An entry being read: its first chunk is there, the others are fetched as they are wanted. */
export class RedisCachedSpeech implements CachedSpeech {
  readonly sampleRateHz: number;
  readonly samples: number;
  readonly characters: number;
  readonly #facts: SpeechFacts;
  readonly #source: CachedSpeechSource;
  readonly #pieces: SpeechPieces;
  /** Fetched and not begun. */
  #chunks: Buffer[] = [];
  /** What is left of the chunk that is being given out. */
  #rest: Uint8Array;
  #nextChunk = 1;

  constructor(facts: SpeechFacts, first: Buffer, source: CachedSpeechSource) {
    this.sampleRateHz = facts.sampleRateHz;
    this.samples = facts.samples;
    this.characters = facts.characters;
    this.#facts = facts;
    this.#source = source;
    this.#pieces = new SpeechPieces(facts.samples, facts.captions);
    this.#rest = first;
  }

  async next(): Promise<SpeechPiece | undefined> {
    if (this.#pieces.isAtEnd) return undefined;
    if (this.#rest.byteLength === 0) {
      if (this.#chunks.length === 0) await this.#fetch();
      this.#rest = this.#chunks.shift() ?? this.#rest;
    }
    const piece = this.#pieces.take(this.#rest);
    this.#rest = this.#rest.subarray(piece.pcm.byteLength);
    return piece;
  }

  close(): void {}

  async #fetch(): Promise<void> {
    const left = this.#facts.checksums.length - this.#nextChunk;
    const found = await this.#source
      .fetch(this.#nextChunk, Math.min(CHUNKS_AT_ONCE, left))
      .catch((error: unknown) => {
        throw toStorageError(error);
      });
    for (const chunk of found) {
      if (chunk === null || !isIntact(this.#facts, this.#nextChunk, chunk)) {
        this.#source.onDamaged();
        throw new GatewayError("stream.lost", "The cached speech was removed while it was being read.");
      }
      this.#chunks.push(chunk);
      this.#nextChunk++;
    }
  }
}
