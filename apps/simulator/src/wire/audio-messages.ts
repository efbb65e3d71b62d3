import type { Fault, FaultName } from "../faults.ts";
import type { Speech } from "../speech/compose.ts";
import { alignmentTexts } from "./alignments.ts";
import type { AudioFormat } from "./audio-format.ts";
import type { AudioEncoder } from "./encode-audio.ts";
import { pieceEnds } from "./pieces.ts";

/** A message that carries audio, ready to be sent, and what stands before it because of a fault. */
export interface AudioMessage {
  readonly frame: Buffer;
  readonly before: readonly string[];
  readonly audioBytes: number;
  /** Audio of this generation up to and with this message. */
  readonly audioUntilMs: number;
}

export interface MessageOptions {
  readonly format: AudioFormat;
  readonly encoder: AudioEncoder;
  /** Names what is spoken and how; decides where it is cut. */
  readonly key: string;
  readonly syncAlignment: boolean;
  readonly fault?: Fault | undefined;
  /** Where a fault strikes, in ms of this generation. */
  readonly cutAtMs?: number | undefined;
  /** On multi-stream-input. */
  readonly contextId?: string | undefined;
}

const HUGE_BYTES = 1_200_000;

/** The audio messages of a generation, keys in the order of the wire (reference/elevenlabs.md 1.4). */
export function toAudioMessages(speech: Speech, options: MessageOptions): AudioMessage[] {
  const { format, encoder, fault } = options;
  const { sampleRateHz } = speech;
  const cutAt =
    options.cutAtMs === undefined ? undefined : Math.round((options.cutAtMs * sampleRateHz) / 1000);
  const ends = pieceEnds(speech.samples.length, sampleRateHz, options.key, cutAt);
  const texts = alignmentTexts(speech, ends, {
    sync: options.syncAlignment,
    oddSpelling: fault?.name === "alignment-odd-spelling",
  });
  let pieces = ends.map((end, i) => encoder.encode(speech.samples.subarray(ends[i - 1] ?? 0, end)));
  if (fault?.name === "odd-pcm" && format.codec === "pcm") pieces = toOddPieces(pieces);
  return pieces.map((audio, i) => {
    const aligned = fault?.name === "alignment-null" ? undefined : texts[i];
    return {
      frame: Buffer.from(
        audioMessage(audio.toString("base64"), {
          alignment: aligned?.alignment ?? "null",
          normalized: aligned?.normalized ?? "null",
          contextId: options.contextId,
          fault: i === 0 || fault?.name !== "huge-message" ? fault?.name : undefined,
        }),
        "utf8",
      ),
      before: junkBefore(i, fault?.name, options.contextId),
      audioBytes: audio.length,
      audioUntilMs: ((ends[i] ?? 0) * 1000) / sampleRateHz,
    };
  });
}

function audioMessage(
  base64: string,
  with_: {
    readonly alignment: string;
    readonly normalized: string;
    readonly contextId?: string | undefined;
    readonly fault?: FaultName | undefined;
  },
): string {
  const context = with_.contextId === undefined ? "" : `"contextId":${JSON.stringify(with_.contextId)},`;
  const final =
    with_.fault === "final-absent" ? "" : `"isFinal":${with_.fault === "final-false" ? "false" : "null"},`;
  const padding = with_.fault === "huge-message" ? `,"padding":"${"x".repeat(HUGE_BYTES)}"` : "";
  return (
    `{"alignment":${with_.alignment},"audio":"${base64}",${context}${final}` +
    `"normalizedAlignment":${with_.normalized}${padding}}`
  );
}

export function finalMessage(contextId?: string): string {
  const context = contextId === undefined ? "" : `"contextId":${JSON.stringify(contextId)},`;
  return `{"alignment":null,"audio":null,${context}"isFinal":true,"normalizedAlignment":null}`;
}

/** Audio the encoder still held at the end of an utterance (mp3). */
export const bareAudioMessage = (audio: Buffer, contextId?: string): string =>
  audioMessage(audio.toString("base64"), { alignment: "null", normalized: "null", contextId });

function junkBefore(index: number, fault: FaultName | undefined, contextId?: string): string[] {
  switch (fault) {
    case "empty-audio":
      return [audioMessage("", { alignment: "null", normalized: "null", contextId })];
    case "non-json":
      return index === 0 ? ["upstream connect error or disconnect/reset before headers"] : [];
    case "unknown-messages":
      return [`{"type":"flush_done","sequence":${index}}`, `["progress",${index}]`, "null", "{}"];
    default:
      return [];
  }
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
