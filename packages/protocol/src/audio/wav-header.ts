export const WAV_HEADER_BYTES = 44;
/** What a writer that can't go back puts where the sizes would stand; players read on until the end. */
const UNKNOWN_BYTES = 0xffff_ffff;

/**
 * Header of a WAV of mono 16-bit PCM.
 * @param pcmBytes bytes of all samples; absent while the length is not known
 */
export function wavHeader(sampleRateHz: number, pcmBytes?: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(WAV_HEADER_BYTES));
  const ascii = (offset: number, text: string) => {
    for (let i = 0; i < text.length; i++) header.setUint8(offset + i, text.charCodeAt(i));
  };
  ascii(0, "RIFF");
  header.setUint32(4, pcmBytes === undefined ? UNKNOWN_BYTES : pcmBytes + WAV_HEADER_BYTES - 8, true);
  ascii(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true);
  header.setUint16(22, 1, true);
  header.setUint32(24, sampleRateHz, true);
  header.setUint32(28, sampleRateHz * 2, true);
  header.setUint16(32, 2, true);
  header.setUint16(34, 16, true);
  ascii(36, "data");
  header.setUint32(40, pcmBytes ?? UNKNOWN_BYTES, true);
  return new Uint8Array(header.buffer);
}
