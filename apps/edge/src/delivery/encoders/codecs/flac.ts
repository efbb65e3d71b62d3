import openLibflac, { type Flac } from "libflacjs";
import type { OutputFormat } from "../output-format.ts";
import { type Codec, copyOf } from "./codec.ts";

/** From 0 to 8. Beyond 5 speech gets no smaller to speak of. */
const COMPRESSION = 5;
/** Samples of a block: what a listener waits for before the first bytes, 43 ms at 24 kHz. */
const BLOCK_SAMPLES = 1_024;

let library: Promise<Flac> | undefined;

function loadLibflac(): Promise<Flac> {
  const flac = openLibflac("min");
  return new Promise((resolve) => {
    if (flac.isReady()) resolve(flac);
    else flac.onready = () => resolve(flac);
  });
}

/** FLAC as a stream: its header says "length unknown", which decoders take as "until it ends". */
export async function openFlac({ sampleRateHz }: OutputFormat): Promise<Codec> {
  library ??= loadLibflac();
  const flac = await library;
  const encoder = flac.create_libflac_encoder(sampleRateHz, 1, 16, COMPRESSION, 0, false, BLOCK_SAMPLES);
  let ready: Uint8Array<ArrayBuffer>[] = [];
  const taken = (): Uint8Array<ArrayBuffer>[] => {
    const pieces = ready;
    ready = [];
    return pieces;
  };
  const status =
    encoder === 0 ? -1 : flac.init_encoder_stream(encoder, (bytes) => void ready.push(copyOf(bytes)));
  if (status !== 0) throw new Error(`no FLAC encoder for ${sampleRateHz} Hz: ${status}`);
  return {
    encode: (samples) => {
      const wide = Int32Array.from(samples);
      if (!flac.FLAC__stream_encoder_process_interleaved(encoder, wide, wide.length)) {
        throw new Error(`FLAC failed with ${flac.FLAC__stream_encoder_get_state(encoder)}`);
      }
      return taken();
    },
    finish: () => {
      flac.FLAC__stream_encoder_finish(encoder);
      return taken();
    },
    close: () => flac.FLAC__stream_encoder_delete(encoder),
  };
}
