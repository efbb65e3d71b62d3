import type { ByteBudget } from "@tts-labs/core/async/byte-budget";

/** Before each message: its length, and whether it is binary in the highest bit. */
const HEAD_BYTES = 4;
const BINARY_BIT = 0x8000_0000;
const FIRST_CHUNK_BYTES = 4 * 1_024;
const CHUNK_BYTES = 64 * 1_024;

interface Chunk {
  readonly bytes: Buffer;
  readAt: number;
  writtenTo: number;
}

/**
 * Messages as they came, unparsed and in order, packed into a few large buffers: a flood of tiny messages makes no
 * garbage. Bounded in messages, and in the bytes of these buffers, here and over all holders.
 */
export class HeldMessages {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #shared: ByteBudget;
  #chunks: Chunk[] = [];
  #messages = 0;
  #takenBytes = 0;

  constructor(maxMessages: number, maxBytes: number, shared: ByteBudget) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
    this.#shared = shared;
  }

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  /** Keeps a copy. @returns false: there is no room */
  push(message: Uint8Array, isBinary: boolean): boolean {
    if (this.#messages >= this.#maxMessages) return false;
    const needed = HEAD_BYTES + message.byteLength;
    const chunk = this.#chunkFor(needed);
    if (chunk === undefined) return false;
    chunk.bytes.writeUInt32LE((message.byteLength | (isBinary ? BINARY_BIT : 0)) >>> 0, chunk.writtenTo);
    chunk.bytes.set(message, chunk.writtenTo + HEAD_BYTES);
    chunk.writtenTo += needed;
    this.#messages++;
    return true;
  }

  /** Hands out the oldest. The bytes are valid during the call. */
  shift(take: (message: Uint8Array, isBinary: boolean) => void): void {
    const [chunk] = this.#chunks;
    if (chunk === undefined) return;
    const head = chunk.bytes.readUInt32LE(chunk.readAt);
    const from = chunk.readAt + HEAD_BYTES;
    const to = from + (head & ~BINARY_BIT);
    chunk.readAt = to;
    this.#messages--;
    if (to === chunk.writtenTo) {
      this.#chunks.shift();
      this.#giveBack(chunk.bytes.byteLength);
    }
    take(chunk.bytes.subarray(from, to), head >>> 31 === 1);
  }

  /** Safe to call twice. */
  clear(): void {
    this.#chunks = [];
    this.#messages = 0;
    this.#giveBack(this.#takenBytes);
  }

  #chunkFor(needed: number): Chunk | undefined {
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.bytes.byteLength - last.writtenTo >= needed) return last;
    const size = Math.max(needed, last === undefined ? FIRST_CHUNK_BYTES : CHUNK_BYTES);
    if (this.#takenBytes + size > this.#maxBytes || !this.#shared.tryTake(size)) return undefined;
    this.#takenBytes += size;
    // Of its own, so that the memory is free as soon as this is.
    const chunk = { bytes: Buffer.allocUnsafeSlow(size), readAt: 0, writtenTo: 0 };
    this.#chunks.push(chunk);
    return chunk;
  }

  #giveBack(bytes: number): void {
    this.#takenBytes -= bytes;
    this.#shared.giveBack(bytes);
  }
}
