import { once } from "node:events";
import { type FileHandle, open } from "node:fs/promises";
import type { Writable } from "node:stream";
import { wavHeader } from "./wav-header.ts";

/** Where speech goes. Whoever opens it closes it, also when the speech failed. */
export interface AudioOutput {
  write(samples: Int16Array): Promise<void>;
  close(): Promise<void>;
}

interface AudioFormat {
  readonly sampleRateHz: number;
  /** Bare PCM, without a WAV header. */
  readonly raw: boolean;
}

/** A file that comes into being with the first sample, its sizes put right at the end. */
export function openAudioFile(path: string, { sampleRateHz, raw }: AudioFormat): AudioOutput {
  let file: FileHandle | undefined;
  let pcmBytes = 0;
  return {
    write: async (samples) => {
      if (file === undefined) {
        file = await open(path, "w");
        if (!raw) await file.writeFile(wavHeader(sampleRateHz));
      }
      await file.writeFile(bytesOf(samples));
      pcmBytes += samples.byteLength;
    },
    close: async () => {
      const closing = file;
      file = undefined;
      if (closing === undefined) return;
      try {
        if (!raw) {
          const header = wavHeader(sampleRateHz, pcmBytes);
          await closing.write(header, 0, header.byteLength, 0);
        }
      } finally {
        await closing.close();
      }
    },
  };
}

/** A pipe: written as fast as it is read. */
export function openAudioPipe(pipe: Writable, { sampleRateHz, raw }: AudioFormat): AudioOutput {
  let begun = raw;
  const send = async (bytes: Uint8Array) => {
    if (!pipe.write(bytes)) await once(pipe, "drain");
  };
  return {
    write: async (samples) => {
      if (!begun) await send(wavHeader(sampleRateHz));
      begun = true;
      await send(bytesOf(samples));
    },
    close: async () => {},
  };
}

const bytesOf = (samples: Int16Array): Uint8Array =>
  new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
