const CAPTURE = 0x5367_674f;
const HEADER_BYTES = 27;
/** A packet is cut into segments of 255 bytes; a shorter one ends it. A page has at most 255 of them. */
const SEGMENT_BYTES = 255;
const MAX_SEGMENTS = 255;
const CRC_POLYNOMIAL = 0x04c1_1db7;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000_0000 ? (crc << 1) ^ CRC_POLYNOMIAL : crc << 1;
  return crc >>> 0;
});

export const BEGIN_OF_STREAM = 2;
export const END_OF_STREAM = 4;

export interface OggPage {
  readonly serial: number;
  /** Number of the page in its stream, from 0. */
  readonly sequence: number;
  readonly flags: number;
  /** Samples of the stream up to this page's end. */
  readonly granule: number;
  /** Whole packets, together at most 255 segments. */
  readonly packets: readonly Uint8Array[];
}

export const segmentsOf = (packet: Uint8Array): number => Math.floor(packet.byteLength / SEGMENT_BYTES) + 1;
export const fitsPage = (packets: readonly Uint8Array[]): boolean =>
  packets.reduce((sum, packet) => sum + segmentsOf(packet), 0) <= MAX_SEGMENTS;

/** One page of an Ogg stream (RFC 3533, section 6). */
export function encodeOggPage(page: OggPage): Uint8Array<ArrayBuffer> {
  const lacing = page.packets.flatMap((packet) => [
    ...Array.from({ length: segmentsOf(packet) - 1 }, () => SEGMENT_BYTES),
    packet.byteLength % SEGMENT_BYTES,
  ]);
  const bodyBytes = page.packets.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const bytes = new Uint8Array(HEADER_BYTES + lacing.length + bodyBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, CAPTURE, true);
  view.setUint8(5, page.flags);
  view.setBigUint64(6, BigInt(page.granule), true);
  view.setUint32(14, page.serial, true);
  view.setUint32(18, page.sequence, true);
  view.setUint8(26, lacing.length);
  bytes.set(lacing, HEADER_BYTES);
  let at = HEADER_BYTES + lacing.length;
  for (const packet of page.packets) {
    bytes.set(packet, at);
    at += packet.byteLength;
  }
  view.setUint32(22, crcOf(bytes), true);
  return bytes;
}

function crcOf(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) ^ (CRC_TABLE[((crc >>> 24) ^ byte) & 0xff] ?? 0)) >>> 0;
  return crc;
}
