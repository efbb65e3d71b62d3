import type { Substitute } from "@tts-labs/core/session/entries";
import type { UtteranceResult } from "@tts-labs/core/session/utterance-result";
import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { MAX_ENTRY_BYTES } from "@tts-labs/protocol/limits";
import { FrameCutter } from "../delivery/frame-cutter.ts";
import type { FrameSize } from "../delivery/frame-size.ts";
import type { Outbound } from "../delivery/outbound.ts";
import type { DeliveryTally } from "../delivery/tally.ts";
import {
  type UtteranceEvent,
  UtteranceReader,
  type UtteranceReaderOptions,
} from "../speech/reader/audio-reader.ts";

export interface UtteranceDeliveryOptions {
  readonly reader: UtteranceReaderOptions;
  readonly outbound: Outbound;
  readonly tally: DeliveryTally;
  readonly frameSize: FrameSize;
  readonly onChunk: (event: ChunkEvent) => void;
  /** Ends here without waiting for the stream's end: what an earlier connection was told of came after it. */
  readonly untilSample?: number;
}

type ChunkEvent = Extract<UtteranceEvent, { kind: "chunk" }>;

/**
 * Reads an utterance's audio and puts it into the outbound, frame by frame, as there is room. No entry is
 * taken before the frames that it makes have room, so a client that does not read makes the stream fill up; as many
 * entries as have room are taken in one look.
 * @returns how it ended, when its last frame has its place in the outbound; nothing where `untilSample` was reached
 * @throws GatewayError as `UtteranceReader.next`
 */
export async function deliverUtterance(
  options: UtteranceDeliveryOptions,
  signal: AbortSignal,
): Promise<UtteranceResult | undefined> {
  const { outbound, tally, frameSize, onChunk, untilSample = Number.POSITIVE_INFINITY } = options;
  const firstSample = options.reader.from?.sample ?? 0;
  const reader = new UtteranceReader(options.reader);
  tally.onConfirmed = (seq) => reader.confirmed(seq);
  const cutter = new FrameCutter(frameSize, firstSample);
  let isBegun = false;
  const entryFrames = () => Math.ceil(MAX_ENTRY_BYTES / BYTES_PER_SAMPLE / frameSize.samples) + 1;
  let told: Substitute | undefined;
  try {
    for (;;) {
      await outbound.room(entryFrames(), signal);
      const event = await reader.next(signal, Math.floor(outbound.freeFrames / entryFrames()));
      caption(event, outbound, tally);
      if (event.kind === "ended") {
        await finish(cutter, outbound, tally, signal);
        return event.result;
      }
      onChunk(event);
      if (event.splice) {
        outbound.takeBack(tally, event.firstSample);
        const rest = cutter.splice(event.firstSample);
        if (rest !== undefined) outbound.frame(rest, tally);
      }
      if (event.substitute !== undefined && !isSame(event.substitute, told)) {
        outbound.notice({ kind: "substituted", substitute: event.substitute }, tally);
      }
      told = event.substitute;
      for (const frame of cutter.push(event.pcm, event.seq)) {
        if (!outbound.hasRoom(1)) await outbound.room(1, signal);
        outbound.frame(frame, tally);
      }
      reader.advance(event.seq);
      // What is there already may be long: the first frames of others who came meanwhile go before the rest of it.
      if (!isBegun) await nextTurn();
      isBegun = true;
      if (cutter.samples >= untilSample) {
        await finish(cutter, outbound, tally, signal);
        return undefined;
      }
    }
  } catch (error) {
    // What came before a failure is heard to its end, also what fills no frame. After a cancel nothing is.
    if (!signal.aborted) await finish(cutter, outbound, tally, signal);
    throw error;
  } finally {
    tally.onConfirmed = undefined;
    await reader.close();
  }
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function finish(
  cutter: FrameCutter,
  outbound: Outbound,
  tally: DeliveryTally,
  signal: AbortSignal,
): Promise<void> {
  const frame = cutter.finish();
  if (frame === undefined) return;
  await outbound.room(1, signal);
  outbound.frame(frame, tally);
}

/** In order before the frames they belong to. */
function caption(event: UtteranceEvent, outbound: Outbound, tally: DeliveryTally): void {
  if (event.kind === "chunk" && event.alignment !== undefined) {
    outbound.caption({ kind: "alignment", alignment: event.alignment }, tally);
  }
  const { words, replacesFromMs } = event;
  if (words.length === 0) return;
  outbound.caption(
    { kind: "words", words, ...(replacesFromMs === undefined ? {} : { replacesFromMs }) },
    tally,
  );
}

const isSame = (a: Substitute, b: Substitute | undefined): boolean =>
  a.voice === b?.voice && a.model === b.model && a.provider === b.provider;
