import { wavHeader } from "@tts-labs/protocol/audio/wav-header";
import type { AudioChunk } from "./frame-queue.ts";

/**
 * Gathers speech into one piece, each chunk at its place: a splice writes over what it replaces.
 * Memory: 48 kB a second at 24 kHz, and while it grows as much again.
 */
export class SoundFile {
  #bytes = new Uint8Array(96_000);
  #length = 0;

  write({ firstSample, samples, splice }: AudioChunk): void {
    const at = splice === true ? Math.min(firstSample * 2, this.#length) : this.#length;
    const end = at + samples.byteLength;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength), at);
    this.#length = end;
  }

  /** A whole WAV, whose header states its true lengths. */
  toWav(sampleRateHz: number): Uint8Array<ArrayBuffer> {
    const header = wavHeader(sampleRateHz, this.#length);
    const wav = new Uint8Array(header.length + this.#length);
    wav.set(header);
    wav.set(this.#bytes.subarray(0, this.#length), header.length);
    return wav;
  }
}

/** Everything `speech` gives, as a WAV. */
export async function toWav(
  speech: AsyncIterable<AudioChunk>,
  sampleRateHz: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const file = new SoundFile();
  for await (const chunk of speech) file.write(chunk);
  return file.toWav(sampleRateHz);
}

/**
 * The samples of `speech` as bytes, 16-bit little-endian, for what can't go back: of a splice, only what was not given
 * yet. A chunk is taken from the speech when the stream's reader wants one; a reader that cancels, cancels the speech.
 */
export function toByteStream(speech: AsyncIterable<AudioChunk>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const chunks = speech[Symbol.asyncIterator]();
  let given = 0;
  let at = 0;
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        for (;;) {
          const next = await chunks.next();
          if (next.done === true) {
            controller.close();
            return;
          }
          const { firstSample, samples, splice } = next.value;
          if (splice === true) at = firstSample;
          const isNew = samples.subarray(Math.min(samples.length, Math.max(0, given - at)));
          at += samples.length;
          given = Math.max(given, at);
          if (isNew.length === 0) continue;
          controller.enqueue(new Uint8Array(isNew.buffer, isNew.byteOffset, isNew.byteLength));
          return;
        }
      },
      async cancel() {
        await chunks.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}
