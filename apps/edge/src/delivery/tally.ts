/** What has been delivered of one utterance. The outbound writes it, the utterance reads it. */
export interface DeliveryTally {
  readonly utteranceId: string;
  /** Number in the session, from 1. */
  readonly number: number;
  sentFrames: number;
  sentSamples: number;
  droppedFrames: number;
  /** `performance.now()` when the first frame was given to the sink. */
  firstSentAtMs: number | undefined;
}

export const newTally = (utteranceId: string, number: number): DeliveryTally => ({
  utteranceId,
  number,
  sentFrames: 0,
  sentSamples: 0,
  droppedFrames: 0,
  firstSentAtMs: undefined,
});
