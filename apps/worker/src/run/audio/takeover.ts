import type { ResumePoint } from "@tts-labs/core/audio/word-tracker";
import { parseAudioEntry, type Substitute, samplesOf } from "@tts-labs/core/session/entries";
import type { StreamRef, StreamStore, StreamWriter } from "@tts-labs/core/stream/stream";
import { GatewayError } from "@tts-labs/protocol/errors";

/** The place where the run of an utterance begins. */
export interface StartingPoint {
  readonly resume: ResumePoint;
  /** Samples stored by earlier workers, as the utterance's clock counts them. */
  readonly endSample: number;
  /** Audio of it is stored. */
  readonly heard: boolean;
  /** How often it has been continued, this time included. */
  readonly continuations: number;
  /** How often it has been handed over, which is no continuation. */
  readonly handovers: number;
  /** The worker before has left it for want of text: nothing has failed. */
  readonly wasParked?: boolean;
  /** The substitute that spoke last, if it was not the first choice. */
  readonly spokenBy?: Substitute;
}

const BEGINNING: ResumePoint = { char: 0, sample: 0 };

/**
 * Where an utterance just claimed is to be begun, or continued: the last entry of the part that the claim has
 * sealed says it. The number of continuations travels with the entries, so that it counts across workers; that
 * of the claims counts workers that died before they said anything. A worker that was handed it over is not counted.
 * @throws GatewayError `worker.unavailable` when it can't be gone on with, `storage.*`
 */
export async function findStart(
  streams: StreamStore,
  stream: StreamRef,
  writer: StreamWriter,
): Promise<StartingPoint> {
  const claims = writer.fence - 1;
  if (writer.lastSeq === 0) {
    return { resume: BEGINNING, endSample: 0, heard: false, continuations: claims, handovers: 0 };
  }
  const last = await streams.last(stream);
  const entry = last?.seq === writer.lastSeq ? parseAudioEntry(last) : undefined;
  if (entry?.resume === undefined) {
    throw new GatewayError("worker.unavailable", "The worker that spoke this utterance has gone.");
  }
  const { handovers = 0, continuations = 0 } = entry;
  const endSample = entry.firstSample + samplesOf(entry);
  return {
    resume: entry.resume,
    endSample,
    heard: endSample > 0,
    handovers,
    continuations: Math.max(continuations + (entry.handedOver ? 0 : 1), claims - handovers),
    ...(entry.parked === true ? { wasParked: true } : {}),
    ...(entry.substitute === undefined ? {} : { spokenBy: entry.substitute }),
  };
}
