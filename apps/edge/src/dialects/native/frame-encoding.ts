import { deflateRawSync } from "node:zlib";
import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { AUDIO_FRAME_HEADER_BYTES, encodeAudioFrame, parseAudioFrame } from "@tts-labs/protocol/audio-frame";
import { openG711 } from "../../delivery/encoders/codecs/g711.ts";
import type { Frame } from "../../delivery/frame.ts";
import { encodeFrame } from "./encode-event.ts";

/** How a session's frames carry their samples: one by one, so that any frame may be the first that is sent again. */
export interface FrameEncoding {
  readonly encoding: "pcm_s16le" | "mulaw" | "alaw";
  readonly deflates: boolean;
}

export const PLAIN_FRAMES: FrameEncoding = { encoding: "pcm_s16le", deflates: false };

/** Shorter payloads gain nothing. */
const MIN_DEFLATED_BYTES = 1_024;
/** More effort makes speech no smaller to speak of. */
const DEFLATE_LEVEL = 3;

const G711 = { mulaw: openG711("mulaw"), alaw: openG711("alaw") };

/** @returns header and payload */
export function encodeFrameAs(
  frame: Frame,
  utterance: number,
  { encoding, deflates }: FrameEncoding,
): Uint8Array<ArrayBuffer> {
  const { pcm } = frame;
  if (encoding !== "pcm_s16le") {
    const samples = new Int16Array(pcm.buffer, pcm.byteOffset, frame.samples);
    const [payload = pcm] = G711[encoding].encode(samples);
    return encodeAudioFrame({ ...headerOf(frame, utterance), deflated: false }, payload);
  }
  const deflated = deflates && pcm.byteLength > MIN_DEFLATED_BYTES ? deflate(pcm) : undefined;
  // Only where it is smaller.
  if (deflated === undefined || deflated.byteLength >= pcm.byteLength) return encodeFrame(frame, utterance);
  return encodeAudioFrame({ ...headerOf(frame, utterance), deflated: true }, deflated);
}

const deflate = (pcm: Uint8Array): Uint8Array => deflateRawSync(pcm, { level: DEFLATE_LEVEL });

const headerOf = ({ firstSample, seq, last, splice }: Frame, utterance: number) => ({
  utterance,
  firstSample,
  seq,
  last,
  splice,
});

/** The plain frame from `sample` on, which lies in it. */
export function cutFrame(body: Uint8Array, sample: number): Uint8Array {
  const { payload, ...header } = parseAudioFrame(body);
  const from = (sample - header.firstSample) * BYTES_PER_SAMPLE;
  if (from <= 0 || from > body.byteLength - AUDIO_FRAME_HEADER_BYTES) return body;
  return encodeAudioFrame({ ...header, firstSample: sample }, payload.subarray(from));
}
