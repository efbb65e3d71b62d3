/**
 * The binary message that carries audio to a client of the native protocol: a 16-byte header, then samples.
 *
 *   offset  size  field (little-endian)
 *        0     1  version, 1
 *        1     1  flags: bit 0 last frame of the utterance, bit 1 payload deflated (raw DEFLATE), bit 2 splice
 *        2     2  reserved, 0
 *        4     4  utterance: its number in the session, from 1
 *        8     4  first sample: number of the payload's first sample, from 0, on the utterance's own clock
 *       12     4  seq: stream entry that the frame's last sample came from; the position to resume from
 *       16     …  mono 16-bit little-endian PCM
 *
 * 32 bits of samples last 49 hours at 24 kHz. The header's length keeps the samples aligned for an Int16Array.
 */
export const AUDIO_FRAME_VERSION = 1;
export const AUDIO_FRAME_HEADER_BYTES = 16;

const LAST = 1;
const DEFLATED = 2;
const SPLICE = 4;

export interface AudioFrameHeader {
  readonly utterance: number;
  readonly firstSample: number;
  readonly seq: number;
  /** No more audio of this utterance follows. */
  readonly last: boolean;
  readonly deflated: boolean;
  /** What a player holds from `firstSample` on is replaced by this. */
  readonly splice: boolean;
}

export interface AudioFrame extends AudioFrameHeader {
  /** The samples, or their deflated form; a view into the message. */
  readonly payload: Uint8Array;
}

/** A fresh buffer with header and payload. */
export function encodeAudioFrame(header: AudioFrameHeader, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(AUDIO_FRAME_HEADER_BYTES + payload.byteLength);
  writeAudioFrameHeader(frame, header);
  frame.set(payload, AUDIO_FRAME_HEADER_BYTES);
  return frame;
}

/** Writes the header over the first 16 bytes of `frame`, for a caller that has the payload in place already. */
export function writeAudioFrameHeader(frame: Uint8Array, header: AudioFrameHeader): void {
  const view = new DataView(frame.buffer, frame.byteOffset, AUDIO_FRAME_HEADER_BYTES);
  view.setUint8(0, AUDIO_FRAME_VERSION);
  view.setUint8(
    1,
    (header.last ? LAST : 0) | (header.deflated ? DEFLATED : 0) | (header.splice ? SPLICE : 0),
  );
  view.setUint16(2, 0, true);
  view.setUint32(4, header.utterance, true);
  view.setUint32(8, header.firstSample, true);
  view.setUint32(12, header.seq, true);
}

/** @throws RangeError when `message` is shorter than a header or of another version. */
export function parseAudioFrame(message: Uint8Array): AudioFrame {
  if (message.byteLength < AUDIO_FRAME_HEADER_BYTES) {
    throw new RangeError(`audio frame of ${message.byteLength} bytes is shorter than its header`);
  }
  const view = new DataView(message.buffer, message.byteOffset, AUDIO_FRAME_HEADER_BYTES);
  const version = view.getUint8(0);
  if (version !== AUDIO_FRAME_VERSION) throw new RangeError(`audio frame of unknown version ${version}`);
  const flags = view.getUint8(1);
  return {
    utterance: view.getUint32(4, true),
    firstSample: view.getUint32(8, true),
    seq: view.getUint32(12, true),
    last: (flags & LAST) !== 0,
    deflated: (flags & DEFLATED) !== 0,
    splice: (flags & SPLICE) !== 0,
    payload: message.subarray(AUDIO_FRAME_HEADER_BYTES),
  };
}
