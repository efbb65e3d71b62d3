import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { ByteBudget } from "../async/byte-budget.ts";
import { toStorageError } from "../redis/storage-error.ts";
import type { CachedSpeech, SpeechPiece } from "./audio-cache.ts";
import { SpeechPieces } from "./speech-pieces.ts";
import { isIntact, type SpeechFacts } from "./stored-speech.ts";

export interface CachedSpeechSource {
  /** @throws what Redis throws */
  fetch(firstChunk: number, count: number): Promise<readonly (Buffer | null)[]>;
  /** What is wanted next is not there, or not whole any more. */
  onDamaged(): void;
}

/** Chunks asked for at once: 256 KiB, 5 s of speech. */
const CHUNKS_AT_ONCE = 8;

export interface CachedBeginning {
  readonly first: Buffer;
  /**
   * From chunk 1 on, asked for together with the first; `null` for what the entry does not have. @throws what Redis
   * throws
   */
  readonly next: Promise<readonly (Buffer | null)[]>;
}

/**
 * An entry being read: its first chunk is there, the next few are on their way. The others are fetched at once while
 * there is memory for them, so that a slow listener does not lose them when the entry goes meanwhile; else
 * as they are wanted.
 */
export class RedisCachedSpeech implements CachedSpeech {
  readonly sampleRateHz: number;
  readonly samples: number;
  readonly characters: number;
  readonly #facts: SpeechFacts;
  readonly #source: CachedSpeechSource;
  readonly #memory: ByteBudget;
  readonly #pieces: SpeechPieces;
  /** Fetched and not begun. */
  #chunks: Buffer[] = [];
  /** What is left of the chunk that is being given out. */
  #rest: Uint8Array;
  #nextChunk = 1;
  #next: CachedBeginning["next"] | undefined;
  #fetching: Promise<void> | undefined;
  /** Of `memory`: for all that is fetched and will be, or 0. */
  #takenBytes = 0;
  #isClosed = false;

  constructor(
    facts: SpeechFacts,
    { first, next }: CachedBeginning,
    source: CachedSpeechSource,
    memory: ByteBudget,
  ) {
    this.sampleRateHz = facts.sampleRateHz;
    this.samples = facts.samples;
    this.characters = facts.characters;
    this.#facts = facts;
    this.#source = source;
    this.#memory = memory;
    this.#pieces = new SpeechPieces(facts.samples, facts.captions);
    this.#rest = first;
    this.#next = next;
    const bytes = facts.samples * BYTES_PER_SAMPLE - first.byteLength;
    if (bytes === 0 || !memory.tryTake(bytes)) return;
    this.#takenBytes = bytes;
    void this.#readAhead();
  }

  async next(): Promise<SpeechPiece | undefined> {
    if (this.#pieces.isAtEnd) return undefined;
    if (this.#rest.byteLength === 0) this.#rest = await this.#chunk();
    const piece = this.#pieces.take(this.#rest);
    this.#rest = this.#rest.subarray(piece.pcm.byteLength);
    return piece;
  }

  close(): void {
    this.#isClosed = true;
    this.#chunks = [];
    this.#next = undefined;
    this.#giveBack(this.#takenBytes);
  }

  async #chunk(): Promise<Buffer> {
    try {
      if (this.#chunks.length === 0) await this.#fetch();
    } catch (error) {
      if (error instanceof GatewayError && error.code === "stream.lost") this.#source.onDamaged();
      throw error;
    }
    const chunk = this.#chunks.shift();
    if (chunk === undefined) throw new GatewayError("internal", "The cached speech is not read any more.");
    this.#giveBack(Math.min(chunk.byteLength, this.#takenBytes));
    return chunk;
  }

  /** Never throws: what could not be fetched is asked for again when it is wanted. */
  async #readAhead(): Promise<void> {
    try {
      while (!this.#isClosed && this.#nextChunk < this.#facts.checksums.length) await this.#fetch();
    } catch {
      this.#giveBack(this.#takenBytes);
    }
  }

  #fetch(): Promise<void> {
    this.#fetching ??= this.#fetchSome().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchSome(): Promise<void> {
    const left = this.#facts.checksums.length - this.#nextChunk;
    const asked = this.#next ?? this.#source.fetch(this.#nextChunk, Math.min(CHUNKS_AT_ONCE, left));
    this.#next = undefined;
    const found = await asked.catch((error: unknown) => {
      throw toStorageError(error);
    });
    if (this.#isClosed) return;
    for (const chunk of found.slice(0, left)) {
      if (chunk === null || !isIntact(this.#facts, this.#nextChunk, chunk)) {
        throw new GatewayError("stream.lost", "The cached speech was removed while it was being read.");
      }
      this.#chunks.push(chunk);
      this.#nextChunk++;
    }
  }

  #giveBack(bytes: number): void {
    this.#takenBytes -= bytes;
    this.#memory.giveBack(bytes);
  }
}
