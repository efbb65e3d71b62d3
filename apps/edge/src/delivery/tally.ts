/** What has been delivered of one utterance. The outbound writes it, the utterance reads it. */
export interface DeliveryTally {
  readonly utteranceId: string;
  /** Number in the session, from 1. */
  readonly number: number;
  sentFrames: number;
  /** Without those that a splice has replaced. */
  sentSamples: number;
  /** Number of the sample after the last one sent. */
  sentUpTo: number;
  splices: number;
  /** Sent, and then replaced by a splice. */
  replacedSamples: number;
  droppedFrames: number;
  /** `performance.now()` when the first frame was given to the sink. */
  firstSentAtMs: number | undefined;
  /** As the client last reported; `undefined` while it never has. Written by the utterance. */
  playedSamples: number | undefined;
  /**
   * Called when the client is known to have all stream entries up to `seq`. Set by the owner that may let go of them.
   */
  onConfirmed: ((seq: number) => void) | undefined;
}

/** `sentSamples`: what an earlier connection of the session had got. */
export const newTally = (utteranceId: string, number: number, sentSamples = 0): DeliveryTally => ({
  utteranceId,
  number,
  sentFrames: 0,
  sentSamples,
  sentUpTo: sentSamples,
  splices: 0,
  replacedSamples: 0,
  droppedFrames: 0,
  firstSentAtMs: undefined,
  playedSamples: undefined,
  onConfirmed: undefined,
});
