import { FRAME_STEPS } from "@tts-labs/edge/delivery/frame-size";
import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { parseAudioFrame } from "@tts-labs/protocol/audio-frame";
import type { ServerMessage, ServerMessageOf } from "@tts-labs/protocol/server-message";

export interface ReceivedFrame {
  readonly firstSample: number;
  readonly samples: number;
  readonly seq: number;
  readonly last: boolean;
  /** `performance.now()` on arrival. */
  readonly atMs: number;
}

/** Places where audio went back and was replaced. */
export interface ReceivedSplice {
  readonly firstSample: number;
  /** Samples received before that it replaced. */
  readonly replacedSamples: number;
  /** `performance.now()` on arrival. */
  readonly atMs: number;
}

export interface SpokenUtterance {
  readonly utteranceId: string;
  readonly number: number;
  /** All samples received, end to end, as a player has them that obeys splices. */
  readonly pcm: Buffer;
  readonly splices: readonly ReceivedSplice[];
  readonly frames: readonly ReceivedFrame[];
  readonly words: ServerMessageOf<"words">["words"];
  readonly alignments: readonly ServerMessageOf<"alignment">[];
  readonly droppedSamples: number;
  readonly end: ServerMessageOf<"stream_complete"> | ServerMessageOf<"cancelled"> | ServerMessageOf<"error">;
}

/** Times of words are milliseconds, samples are not. */
const ROUNDING_MS = 1;

interface Receiving {
  readonly utteranceId: string;
  readonly number: number;
  pcm: Buffer[];
  readonly splices: ReceivedSplice[];
  /** The last frame was shorter than they are: it must have been the last, or a splice must follow. */
  sawShort: boolean;
  readonly frames: ReceivedFrame[];
  readonly words: ServerMessageOf<"words">["words"];
  readonly alignments: ServerMessageOf<"alignment">[];
  nextSample: number;
  droppedSamples: number;
  sawLast: boolean;
  end: SpokenUtterance["end"] | undefined;
}

/** Gathers what one connection receives, and notes in `violations` whatever breaks the protocol's rules. */
export class ReceivedSpeech {
  readonly violations: string[] = [];
  readonly #utterances = new Map<number, Receiving>();
  #frameSizes: readonly number[] = [];
  #currentNumber = 0;
  #messages = 0;
  #frames = 0;

  get frames(): number {
    return this.#frames;
  }

  get utteranceNumbers(): ReadonlySet<number> {
    return new Set(this.#utterances.keys());
  }

  /** The utterance of this number, if it has ended. */
  ended(number: number): SpokenUtterance | undefined {
    const it = this.#utterances.get(number);
    if (it?.end === undefined) return undefined;
    const { utteranceId, splices, frames, words, alignments, droppedSamples, end } = it;
    const pcm = Buffer.concat(it.pcm);
    return { utteranceId, number, pcm, splices, frames, words, alignments, droppedSamples, end };
  }

  framesOf(number: number): readonly ReceivedFrame[] {
    return this.#utterances.get(number)?.frames ?? [];
  }

  splicesOf(number: number): readonly ReceivedSplice[] {
    return this.#utterances.get(number)?.splices ?? [];
  }

  onMessage(message: ServerMessage): void {
    if (++this.#messages === 1 && message.type !== "connected") {
      this.violations.push(`first message is "${message.type}", not "connected"`);
    }
    if (message.type === "connected") {
      const { frame_samples, adaptive_frames } = message;
      this.#frameSizes = [frame_samples, ...(adaptive_frames ? FRAME_STEPS.map((it) => it.samples) : [])];
    } else if (message.type === "utterance_started") {
      this.#start(message);
    } else if ("utterance_id" in message && message.utterance_id !== undefined) {
      this.#onUtteranceMessage(message.utterance_id, message);
    }
  }

  onFrame(data: Buffer): void {
    const problem = this.#take(data);
    if (problem !== undefined) this.violations.push(problem);
  }

  #start(message: ServerMessageOf<"utterance_started">): void {
    this.#utterances.set(message.utterance, {
      utteranceId: message.utterance_id,
      number: message.utterance,
      pcm: [],
      splices: [],
      sawShort: false,
      frames: [],
      words: [],
      alignments: [],
      nextSample: 0,
      droppedSamples: 0,
      sawLast: false,
      end: undefined,
    });
  }

  #onUtteranceMessage(utteranceId: string, message: ServerMessage): void {
    const utterance = [...this.#utterances.values()].find((it) => it.utteranceId === utteranceId);
    if (utterance === undefined || utterance.end !== undefined) {
      const when = utterance === undefined ? "before its utterance began" : "after its utterance ended";
      this.violations.push(`"${message.type}" ${when}`);
      return;
    }
    switch (message.type) {
      case "words":
        takeWords(utterance.words, message.words);
        break;
      case "alignment":
        utterance.alignments.push(message);
        break;
      case "frames_dropped":
        utterance.droppedSamples += message.samples;
        utterance.nextSample += message.samples;
        break;
      case "stream_complete":
        if (message.samples !== utterance.nextSample) {
          this.violations.push(
            `stream_complete tells ${message.samples} samples, ${utterance.nextSample} came`,
          );
        }
        if (message.splices !== utterance.splices.length && message.dropped_frames === 0) {
          this.violations.push(
            `stream_complete tells ${message.splices} splices, ${utterance.splices.length} came`,
          );
        }
        if (message.samples > 0 && message.dropped_frames === 0 && !utterance.sawLast) {
          this.violations.push("stream_complete without a frame marked as last");
        }
        utterance.end = message;
        break;
      case "cancelled":
      case "error":
        utterance.end = message;
        break;
    }
  }

  #take(data: Buffer): string | undefined {
    this.#frames++;
    const frame = parseAudioFrame(data);
    const utterance = this.#utterances.get(frame.utterance);
    if (utterance === undefined) return `frame of unknown utterance ${frame.utterance}`;
    if (utterance.end !== undefined) return `frame after the end of utterance ${frame.utterance}`;
    if (utterance.sawLast) return `frame after the last frame of utterance ${frame.utterance}`;
    if (frame.utterance < this.#currentNumber) return `frame of utterance ${frame.utterance} came late`;
    const samples = frame.payload.byteLength / BYTES_PER_SAMPLE;
    if (!Number.isInteger(samples)) return "frame holds half a sample";
    const joins = frame.splice
      ? frame.firstSample <= utterance.nextSample
      : frame.firstSample === utterance.nextSample;
    if (!joins) return `sample ${frame.firstSample} came where ${utterance.nextSample} was due`;
    if (utterance.sawShort && !frame.splice) return "a short frame was neither the last nor before a splice";
    utterance.sawShort = !frame.last && !this.#frameSizes.includes(samples);
    if (frame.splice) splice(utterance, frame.firstSample);
    this.#currentNumber = frame.utterance;
    utterance.nextSample = frame.firstSample + samples;
    utterance.sawLast = frame.last;
    utterance.pcm.push(Buffer.from(frame.payload));
    const { firstSample, seq, last } = frame;
    utterance.frames.push({ firstSample, samples, seq, last, atMs: performance.now() });
    return undefined;
  }
}

/** What came from `firstSample` on is replaced. */
function splice(utterance: Receiving, firstSample: number): void {
  const replacedSamples = utterance.nextSample - firstSample;
  utterance.splices.push({ firstSample, replacedSamples, atMs: performance.now() });
  const pcm = Buffer.concat(utterance.pcm);
  utterance.pcm = [pcm.subarray(0, pcm.byteLength - replacedSamples * BYTES_PER_SAMPLE)];
}

/** A word that begins before an earlier one has ended stands instead of that one and what followed it. */
function takeWords(words: ServerMessageOf<"words">["words"], more: ServerMessageOf<"words">["words"]): void {
  const beginsMs = more[0]?.start_ms ?? 0;
  const replaced = words.findIndex((word) => word.end_ms > beginsMs + ROUNDING_MS);
  if (replaced >= 0) words.length = replaced;
  words.push(...more);
}
