import { once } from "node:events";
import { type FileHandle, open } from "node:fs/promises";
import type { Writable } from "node:stream";
import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { WAV_HEADER_BYTES, wavHeader } from "@tts-labs/protocol/audio/wav-header";

/** The destination of speech. Its opener closes it, also when the speech failed. */
export interface AudioOutput {
  /**
   * `at`: place of the first of `samples`. Where it goes back, they and what follows replace what was written from
   * there on.
   */
  write(at: number, samples: Int16Array): Promise<void>;
  close(): Promise<void>;
}

interface AudioFormat {
  readonly sampleRateHz: number;
  /** Bare PCM, without a WAV header. */
  readonly raw: boolean;
}

/** A file that comes into being with the first sample, its length and sizes put right at the end. */
export function openAudioFile(path: string, { sampleRateHz, raw }: AudioFormat): AudioOutput {
  const headerBytes = raw ? 0 : WAV_HEADER_BYTES;
  let file: FileHandle | undefined;
  let pcmBytes = 0;
  return {
    write: async (at, samples) => {
      if (file === undefined) {
        file = await open(path, "w");
        if (!raw) await writeAt(file, 0, wavHeader(sampleRateHz));
      }
      await writeAt(file, headerBytes + at * BYTES_PER_SAMPLE, bytesOf(samples));
      pcmBytes = at * BYTES_PER_SAMPLE + samples.byteLength;
    },
    close: async () => {
      const closing = file;
      file = undefined;
      if (closing === undefined) return;
      try {
        await closing.truncate(headerBytes + pcmBytes);
        if (!raw) await writeAt(closing, 0, wavHeader(sampleRateHz, pcmBytes));
      } finally {
        await closing.close();
      }
    },
  };
}

/** A pipe: written as fast as it is read. It can't go back: what has been written stands, and is not written again. */
export function openAudioPipe(pipe: Writable, { sampleRateHz, raw }: AudioFormat): AudioOutput {
  let begun = raw;
  let written = 0;
  const send = async (bytes: Uint8Array) => {
    if (bytes.byteLength > 0 && !pipe.write(bytes)) await once(pipe, "drain");
  };
  return {
    write: async (at, samples) => {
      if (!begun) await send(wavHeader(sampleRateHz));
      begun = true;
      await send(bytesOf(samples.subarray(Math.max(0, written - at))));
      written = Math.max(written, at + samples.length);
    },
    close: async () => {},
  };
}

async function writeAt(file: FileHandle, position: number, bytes: Uint8Array): Promise<void> {
  for (let from = 0; from < bytes.byteLength; ) {
    from += (await file.write(bytes, from, bytes.byteLength - from, position + from)).bytesWritten;
  }
}

const bytesOf = (samples: Int16Array): Uint8Array =>
  new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
