import { GatewayError } from "@tts-labs/protocol/errors";

interface Signature {
  readonly format: string;
  /** Any one of them. */
  readonly beginsWith: readonly string[];
  /** Bytes that are looked at. */
  readonly bytes: number;
  readonly confirms: (head: Buffer) => boolean;
}

/** What other audio, or no audio at all, begins with. Speech as PCM begins with silence, hardly ever with these. */
const SIGNATURES: readonly Signature[] = [
  { format: "mp3", beginsWith: ["ID3"], bytes: 10, confirms: isId3Header },
  { format: "ogg", beginsWith: ["OggS"], bytes: 4, confirms: () => true },
  {
    format: "wav",
    beginsWith: ["RIFF"],
    bytes: 12,
    confirms: (head) => head.toString("latin1", 8, 12) === "WAVE",
  },
  { format: "flac", beginsWith: ["fLaC"], bytes: 4, confirms: () => true },
  { format: "webm", beginsWith: ["\x1a\x45\xdf\xa3"], bytes: 4, confirms: () => true },
  { format: "gzip", beginsWith: ["\x1f\x8b\x08"], bytes: 4, confirms: (head) => (head[3] ?? 0) < 0x20 },
  {
    format: "text",
    beginsWith: ["{", "<", "[{"],
    bytes: 24,
    confirms: (head) => TEXT_BEGINNING.test(head.toString("latin1", 0, 24)),
  },
];

/** JSON or HTML, in printable characters. */
const TEXT_BEGINNING = /^(?:\[?\{\s*"|<(?:!doctype|html|\?xml|head|body))[\x20-\x7e\r\n\t]{8,}$/i;
/** Longest frame of MPEG audio, and the header behind it. */
const MAX_FRAME_BYTES = 1_732 + 6;

function isId3Header(head: Buffer): boolean {
  const [version = 0, , flags = 0] = head.subarray(3, 6);
  const isLength = head.subarray(6, 10).every((byte) => byte < 0x80);
  return version >= 2 && version <= 4 && (flags & 0x0f) === 0 && isLength;
}

/** "unknown": more bytes are needed. */
function signatureOf(head: Buffer): string {
  for (const { format, beginsWith, bytes, confirms } of SIGNATURES) {
    const mayBegin = beginsWith.some((begin) => {
      const length = Math.min(begin.length, head.length);
      return head.toString("latin1", 0, length) === begin.slice(0, length);
    });
    if (!mayBegin) continue;
    if (head.length < bytes) return "unknown";
    if (confirms(head)) return format;
  }
  return "pcm";
}

/**
 * Lets PCM pass and nothing else. A beginning that might be a frame of MPEG audio (1 of 2,000 by chance) is held back
 * until the place where the next frame would begin is there, 36 ms of PCM at most; others for 24 bytes at most.
 */
export class PcmGate {
  #held: Buffer | undefined = Buffer.alloc(0);

  /** What may go on. @throws GatewayError `provider.wrong_format` */
  pass(audio: Buffer): Buffer {
    if (this.#held === undefined) return audio;
    const head = this.#held.length === 0 ? audio : Buffer.concat([this.#held, audio]);
    const signature = signatureOf(head);
    const format = signature === "pcm" ? mpegFormat(head) : signature;
    if (format !== "pcm" && format !== "unknown") throw toFormatError(format);
    this.#held = format === "pcm" ? undefined : head;
    return format === "pcm" ? head : Buffer.alloc(0);
  }

  /** What is still held back when nothing more comes: too short to be anything else. */
  finish(): Buffer {
    const held = this.#held ?? Buffer.alloc(0);
    this.#held = undefined;
    return held;
  }
}

export const toFormatError = (format: string): GatewayError =>
  new GatewayError("provider.wrong_format", undefined, { facts: { format } });

/** Two headers of the same sort, the second exactly where the first one's frame ends. */
function mpegFormat(head: Buffer): "pcm" | "mp3" | "aac" | "unknown" {
  if (head.length < 6) return head.length === 0 || head[0] === 0xff ? "unknown" : "pcm";
  const first = frameOf(head, 0);
  if (first === undefined) return "pcm";
  if (head.length < first.bytes + 6) return head.length < MAX_FRAME_BYTES ? "unknown" : "pcm";
  return frameOf(head, first.bytes)?.sort === first.sort ? first.format : "pcm";
}

interface MpegFrame {
  readonly format: "mp3" | "aac";
  readonly bytes: number;
  /** Version, layer and rate, which all frames of one stream share. */
  readonly sort: number;
}

/** kbit/s of layer III by the header's index: MPEG 1, and MPEG 2 and 2.5. */
const BIT_RATES = [
  [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
] as const;
const SAMPLE_RATES = [44_100, 48_000, 32_000] as const;

function frameOf(bytes: Buffer, at: number): MpegFrame | undefined {
  if (at + 4 > bytes.length || (bytes.readUInt16BE(at) & 0xffe0) !== 0xffe0) return undefined;
  const [second = 0, third = 0] = bytes.subarray(at + 1, at + 3);
  const version = (second >> 3) & 3;
  const layer = (second >> 1) & 3;
  const sort = ((second & 0xfe) << 8) | (third & 0x0c);
  // ADTS: layer 0, and its length in 13 bits.
  if ((second & 0xf6) === 0xf0) {
    if (at + 6 > bytes.length) return undefined;
    const length = (bytes.readUIntBE(at + 3, 3) >> 5) & 0x1fff;
    return length > 7 && length <= MAX_FRAME_BYTES - 4 ? { format: "aac", bytes: length, sort } : undefined;
  }
  if (version === 1 || layer !== 1) return undefined;
  const rate = SAMPLE_RATES[(third >> 2) & 3];
  const kbps = BIT_RATES[version === 3 ? 0 : 1][third >> 4];
  if (rate === undefined || kbps === undefined || kbps === 0) return undefined;
  const samplesPerByte = version === 3 ? 144 : 72;
  const sampleRateHz = version === 3 ? rate : version === 2 ? rate / 2 : rate / 4;
  const length = Math.floor((samplesPerByte * kbps * 1_000) / sampleRateHz) + ((third >> 1) & 1);
  return { format: "mp3", bytes: length, sort };
}
