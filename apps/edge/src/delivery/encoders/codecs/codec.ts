/** Encodes one utterance, in the thread that holds it. */
export interface Codec {
  /** What is complete with these samples, in the codec's own units: packets, or any run of bytes. */
  encode(samples: Int16Array): Uint8Array<ArrayBuffer>[];
  /** The rest; nothing is encoded after it. */
  finish(): Uint8Array<ArrayBuffer>[];
  /** Lets go of what it holds outside JavaScript's own memory. Called once, also where nothing was finished. */
  close(): void;
}

/** A copy of a view that its owner will write over. */
export const copyOf = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

/** The bytes of samples; all machines that we run on are little-endian, as the formats are. */
export const toBytes = (samples: Int16Array): Uint8Array<ArrayBuffer> =>
  copyOf(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
