import type { Fault, FaultName } from "../faults/faults.ts";
import type { Speech } from "../speech/compose.ts";
import { alignmentText, alignPieces } from "./alignments.ts";
import type { AudioFormat } from "./audio-format.ts";
import type { AudioEncoder } from "./encode-audio.ts";
import { falsify } from "./false-alignments.ts";
import { cutHeld, cutPieces } from "./pieces.ts";

/** A message that carries audio, ready to be sent, and what stands before it because of a fault. */
export interface AudioMessage {
  readonly frame: Buffer;
  /** Whether the frame is a binary one. */
  readonly binary?: boolean;
  readonly before: readonly string[];
  readonly audioBytes: number;
  /** Audio of this generation up to and with this message, what was held back before it included. */
  readonly audioUntilMs: number;
}

export interface MessageOptions {
  readonly format: AudioFormat;
  readonly encoder: AudioEncoder;
  /** Names what is spoken and how; decides where it is cut. */
  readonly key: string;
  readonly syncAlignment: boolean;
  readonly autoMode: boolean;
  /** Audio of the generation before, sent in front of this one's. */
  readonly held: Int16Array;
  /** No generation follows. */
  readonly last: boolean;
  readonly fault?: Fault | undefined;
  /** The place where a fault strikes, in ms of this generation with what was held before it. */
  readonly cutAtMs?: number | undefined;
  /** On multi-stream-input. */
  readonly contextId?: string | undefined;
}

export interface Generation {
  readonly messages: readonly AudioMessage[];
  /** The end of its audio, which goes with what follows (pieces.ts). */
  readonly held: Int16Array;
}

const HUGE_BYTES = 1_200_000;
const NO_ALIGNMENT = { alignment: "null", normalized: "null" };

/** The audio messages of a generation, keys in the order of the wire (docs/elevenlabs.md 1.4). */
export function toAudioMessages(speech: Speech, options: MessageOptions): Generation {
  const { encoder, fault, held, key, last, autoMode } = options;
  const { sampleRateHz, samples, starts } = speech;
  const cutAt = cutSample(options.cutAtMs, sampleRateHz);
  let pieces = cutPieces(samples.length, {
    sampleRateHz,
    key,
    starts,
    last,
    autoMode,
    headStart: held.length,
    cutAt: cutAt === undefined ? undefined : cutAt - held.length,
  });
  if (fault?.name === "alignment-twice" && pieces.length === 1) {
    const middle = Math.floor(samples.length / 2);
    pieces = [{ audioEnd: middle, timedEnd: middle }, ...pieces];
  }
  const told = falsify(alignPieces(speech, pieces, options.syncAlignment), fault);
  const oddSpelling = fault?.name === "alignment-odd-spelling";
  const all = held.length === 0 ? samples : joined(held, samples);
  const ends = pieces.map(({ audioEnd }) => held.length + audioEnd);
  const audio = ends.map((end, i) => encoder.encode(all.subarray(ends[i - 1] ?? 0, end)));
  const messages = frames(audio, options).map((message, i): AudioMessage => {
    const aligned = told[i];
    const texts = aligned && {
      alignment: alignmentText(aligned.alignment, oddSpelling),
      normalized: alignmentText(aligned.normalized, oddSpelling),
    };
    return {
      ...message.framed(texts ?? NO_ALIGNMENT),
      before: junkBefore(i, fault?.name, options.contextId),
      audioBytes: message.bytes,
      audioUntilMs: ((ends[i] ?? 0) * 1000) / sampleRateHz,
    };
  });
  return { messages, held: all.slice(ends.at(-1) ?? all.length) };
}

/** The audio that was held back to the end, and what the encoder held; without timings. */
export function toLastMessages(
  held: Int16Array,
  options: Pick<MessageOptions, "encoder" | "format" | "contextId" | "fault" | "cutAtMs"> & {
    readonly sampleRateHz: number;
  },
): AudioMessage[] {
  const { encoder, contextId, sampleRateHz } = options;
  const ends = cutHeld(held.length, cutSample(options.cutAtMs, sampleRateHz));
  const audio = ends.map((end, i) => {
    const bytes = encoder.encode(held.subarray(ends[i - 1] ?? 0, end));
    return i === ends.length - 1 ? Buffer.concat([bytes, encoder.finish()]) : bytes;
  });
  return frames(audio, options, 1).flatMap((message, i) =>
    message.bytes === 0
      ? []
      : {
          ...message.framed(NO_ALIGNMENT),
          before: junkBefore(i + 1, options.fault?.name, contextId),
          audioBytes: message.bytes,
          audioUntilMs: ((ends[i] ?? 0) * 1000) / sampleRateHz,
        },
  );
}

const cutSample = (cutAtMs: number | undefined, sampleRateHz: number): number | undefined =>
  cutAtMs === undefined ? undefined : Math.round((cutAtMs * sampleRateHz) / 1000);

interface Texts {
  readonly alignment: string;
  readonly normalized: string;
}

/** The pieces as messages that still want their alignments; `before` messages have gone ahead of them. */
function frames(
  audio: readonly Buffer[],
  { format, fault, contextId }: Pick<MessageOptions, "format" | "fault" | "contextId">,
  before = 0,
): readonly { bytes: number; framed: (texts: Texts) => Pick<AudioMessage, "frame" | "binary"> }[] {
  const pieces = fault?.name === "odd-pcm" && format.codec === "pcm" ? toOddPieces(audio) : audio;
  return pieces.map((piece, i) => ({
    bytes: piece.length,
    framed: (texts) => {
      if (fault?.name === "binary-audio") return { frame: piece, binary: true };
      const name = before + i === 0 || fault?.name !== "huge-message" ? fault?.name : undefined;
      const text = audioMessage(piece.toString("base64"), { ...texts, contextId, fault: name });
      return { frame: Buffer.from(text, "utf8") };
    },
  }));
}

function audioMessage(
  base64: string,
  with_: Texts & { readonly contextId?: string | undefined; readonly fault?: FaultName | undefined },
): string {
  const context = with_.contextId === undefined ? "" : `"contextId":${JSON.stringify(with_.contextId)},`;
  const final =
    with_.fault === "final-absent" ? "" : `"isFinal":${with_.fault === "final-false" ? "false" : "null"},`;
  const padding = with_.fault === "huge-message" ? `,"padding":"${"x".repeat(HUGE_BYTES)}"` : "";
  const error = with_.fault === "empty-error" ? `,"error":""` : "";
  const mark = with_.fault === "byte-order-mark" ? "\uFEFF" : "";
  return (
    `${mark}{"alignment":${with_.alignment},"audio":"${base64}",${context}${final}` +
    `"normalizedAlignment":${with_.normalized}${padding}${error}}`
  );
}

export function finalMessage(contextId?: string): string {
  const context = contextId === undefined ? "" : `"contextId":${JSON.stringify(contextId)},`;
  return `{"alignment":null,"audio":null,${context}"isFinal":true,"normalizedAlignment":null}`;
}

/** Audio without timings. */
export const bareAudioMessage = (audio: Buffer, contextId?: string): string =>
  audioMessage(audio.toString("base64"), { ...NO_ALIGNMENT, contextId });

function junkBefore(index: number, fault: FaultName | undefined, contextId?: string): string[] {
  switch (fault) {
    case "empty-audio":
      return [audioMessage("", { ...NO_ALIGNMENT, contextId })];
    case "non-json":
      return index === 0 ? ["upstream connect error or disconnect/reset before headers"] : [];
    case "unknown-messages":
      return [`{"type":"flush_done","sequence":${index}}`, `["progress",${index}]`, "null", "{}"];
    default:
      return [];
  }
}

function joined(first: Int16Array, second: Int16Array): Int16Array {
  const all = new Int16Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** The same bytes in pieces of odd length, as far as their sum allows: each border moves by one byte. */
function toOddPieces(pieces: readonly Buffer[]): Buffer[] {
  const all = Buffer.concat(pieces);
  let end = 0;
  let from = 0;
  return pieces.map((piece, i) => {
    end += piece.length;
    const until = i === pieces.length - 1 ? all.length : end + ((end - from) % 2 === 0 ? 1 : 0);
    const odd = all.subarray(from, until);
    from = until;
    return odd;
  });
}
