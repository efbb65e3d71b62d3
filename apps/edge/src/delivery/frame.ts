import { AUDIO_FRAME_HEADER_BYTES } from "@tts-labs/protocol/audio-frame";

/** One message of audio, cut and with its header in place: the sink of a socket sends it as it is. */
export interface Frame {
  readonly firstSample: number;
  readonly samples: number;
  /** Stream entry of its last sample. */
  readonly seq: number;
  readonly last: boolean;
  /** What was sent from `firstSample` on is replaced. */
  readonly splice: boolean;
  /** Header and samples; owned by the frame. */
  readonly message: Uint8Array<ArrayBuffer>;
}

/** The samples alone, for sinks without headers; a view. */
export const pcmOf = (frame: Frame): Uint8Array => frame.message.subarray(AUDIO_FRAME_HEADER_BYTES);
