/** Samples by which LAME delays what it encodes, as its own header counts them: decoders add their 529. */
const ENCODER_DELAY_SAMPLES = 576;
const SIDE_INFO_BYTES = { mpeg1: 17, mpeg2: 9 };
const FRAME_HEADER_BYTES = 4;
/** Of the tag's optional fields only the stream's length in bytes; without one, ffmpeg plays the frame. */
const HAS_BYTES = 2;
const UNKNOWN_BYTES = 0xffff_ffff;
/** The tag's name, its flags, and that length. */
const TAG_FIELDS_BYTES = 12;
const LAME_DELAYS_AT = 21;

/**
 * The silent frame in front of an MP3 that tells players how much of its beginning the encoder has added, so that a
 * clip is as long as its speech ("Info" tag, LAME extension). LAME writes it last, with the file's length in it, which
 * a stream can't.
 * @param firstFrame the stream's first frame, whose rate and length it takes
 */
export function toInfoFrame(firstFrame: Uint8Array): Uint8Array<ArrayBuffer> {
  const [, second = 0] = firstFrame;
  const isMpeg1 = (second & 0x08) !== 0;
  const frame = new Uint8Array(frameBytes(firstFrame));
  frame.set(firstFrame.subarray(0, FRAME_HEADER_BYTES));
  const tag = FRAME_HEADER_BYTES + (isMpeg1 ? SIDE_INFO_BYTES.mpeg1 : SIDE_INFO_BYTES.mpeg2);
  const ascii = (text: string, at: number) => frame.set(Buffer.from(text, "latin1"), at);
  ascii("Info", tag);
  const view = new DataView(frame.buffer);
  view.setUint32(tag + 4, HAS_BYTES);
  view.setUint32(tag + 8, UNKNOWN_BYTES);
  const lame = tag + TAG_FIELDS_BYTES;
  ascii("LAME3.100", lame);
  // 12 bits of delay, 12 bits of padding, which is not known yet.
  frame[lame + LAME_DELAYS_AT] = ENCODER_DELAY_SAMPLES >> 4;
  frame[lame + LAME_DELAYS_AT + 1] = (ENCODER_DELAY_SAMPLES & 0x0f) << 4;
  return frame;
}

const MPEG1_KBPS = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const MPEG2_KBPS = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
const MPEG1_HZ = [44_100, 48_000, 32_000];

/** Bytes of a layer III frame without padding, from its header. */
function frameBytes([, second = 0, third = 0]: Uint8Array): number {
  const isMpeg1 = (second & 0x08) !== 0;
  const kbps = (isMpeg1 ? MPEG1_KBPS : MPEG2_KBPS)[third >> 4] ?? 0;
  const hz = (MPEG1_HZ[(third >> 2) & 3] ?? 0) / (isMpeg1 ? 1 : 2);
  const padding = (third >> 1) & 1;
  return Math.floor(((isMpeg1 ? 144_000 : 72_000) * kbps) / hz) + padding;
}
