/** Bytes that are free in front of a frame's samples, so that a dialect writes its header there and copies nothing. */
export const FRAME_HEADROOM_BYTES = 16;

/** A run of an utterance's samples that goes to the client as one. */
export interface Frame {
  readonly firstSample: number;
  readonly samples: number;
  /** Stream entry of its last sample. */
  readonly seq: number;
  readonly last: boolean;
  /** What was sent from `firstSample` on is replaced. */
  readonly splice: boolean;
  /** The samples, behind `FRAME_HEADROOM_BYTES` in a buffer that the frame owns. */
  readonly pcm: Uint8Array<ArrayBuffer>;
}
