/** What stands for "unknown, it is a stream" in both of a WAV's length fields; players read to the end. */
const UNKNOWN_LENGTH = 0xffff_ffff;
const HEADER_BYTES = 44;

/**
 * The 44 bytes before the samples of a mono 16-bit WAV.
 * @param pcmBytes of all samples; absent where the speech is still being made
 */
export function wavHeader(sampleRateHz: number, pcmBytes?: number): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write("RIFF", 0, "ascii");
  header.writeUInt32LE(pcmBytes === undefined ? UNKNOWN_LENGTH : HEADER_BYTES - 8 + pcmBytes, 4);
  header.write("WAVEfmt ", 8, "ascii");
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20); // PCM
  header.writeUInt16LE(1, 22); // one channel
  header.writeUInt32LE(sampleRateHz, 24);
  header.writeUInt32LE(sampleRateHz * 2, 28); // bytes per second
  header.writeUInt16LE(2, 32); // bytes per sample of all channels
  header.writeUInt16LE(16, 34); // bits per sample
  header.write("data", 36, "ascii");
  header.writeUInt32LE(pcmBytes ?? UNKNOWN_LENGTH, 40);
  return header;
}
