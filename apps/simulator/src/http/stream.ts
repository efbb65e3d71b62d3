import type { ServerResponse } from "node:http";
import { type Fault, faultDurationMs } from "../faults/faults.ts";
import type { Speech } from "../speech/compose.ts";
import { passed, reached, type Timing } from "../timing.ts";
import type { AudioFormat } from "../wire/audio-format.ts";
import { encodeFile, openEncoder } from "../wire/encode-audio.ts";
import { streamPieceBytes } from "../wire/pieces.ts";
import { alignSeconds } from "../wire/seconds-alignment.ts";

export interface StreamedAnswer {
  readonly response: ServerResponse;
  readonly speech: Speech;
  readonly format: AudioFormat;
  readonly timing: Timing;
  readonly fault: Fault | undefined;
  /** Names what is spoken; the same speech comes in the same pieces. */
  readonly key: string;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
}

/** Audio of an answer with timings that goes with one line, at 24 kHz 16-bit as long as the pieces without. */
const BYTES_PER_TIMED_MS = 48;

/**
 * The audio in pieces cut at any byte, as the service does it: most of them odd, whatever the size of a sample
 * (docs/elevenlabs.md 5). False when the client is gone or a fault ended the answer.
 */
export async function sendPieces(answer: StreamedAnswer): Promise<boolean> {
  const { response, speech, format, fault, key, signal } = answer;
  const audio = await encodeFile(speech.samples, format);
  const totalMs = (speech.samples.length * 1000) / speech.sampleRateHz;
  const toMs = (bytes: number) => (bytes / audio.length) * totalMs;
  const strikesAt = strikeByte(fault, audio.length, totalMs);
  const pace = new Pace(answer);
  const sizes = streamPieceBytes(key);
  for (let from = 0, until = 0; from < audio.length; from = until) {
    until = Math.min(audio.length, from + sizes.next().value);
    if (fault?.name === "odd-pcm" && until < audio.length && (until - from) % 2 === 0) until--;
    if (from < strikesAt && strikesAt < until) until = strikesAt;
    if (!(await pace.reaches(toMs(from)))) return false;
    if (!(await write(response, audio.subarray(from, until), signal))) return false;
    if (until >= strikesAt && !(await pace.strikes())) return false;
  }
  return true;
}

/** Lines of JSON, each with audio and the characters that begin in it. */
export async function sendTimedLines(answer: StreamedAnswer): Promise<boolean> {
  const { response, speech, format, fault, key, signal } = answer;
  const encoder = await openEncoder(format);
  const total = speech.samples.length;
  const toMs = (samples: number) => (samples * 1000) / speech.sampleRateHz;
  const strikesMs = strikeMs(fault);
  const pace = new Pace(answer);
  const sizes = streamPieceBytes(key);
  for (let from = 0, until = 0; from < total; from = until) {
    const pieceMs = sizes.next().value / BYTES_PER_TIMED_MS;
    until = Math.min(total, from + Math.ceil((pieceMs * speech.sampleRateHz) / 1000));
    if (!(await pace.reaches(toMs(from)))) return false;
    const audio = encoder.encode(speech.samples.subarray(from, until));
    const last = until === total ? [encoder.finish()] : [];
    const audio_base64 = Buffer.concat([audio, ...last]).toString("base64");
    const line = { audio_base64, ...alignSeconds(speech, [from, until]) };
    if (!(await write(response, `${JSON.stringify(line)}\n`, signal))) return false;
    if (toMs(until) >= strikesMs && !(await pace.strikes())) return false;
  }
  return true;
}

/** Faults that need no place of their own strike after the first piece. */
const strikeMs = (fault: Fault | undefined): number => fault?.afterMs ?? 0;

function strikeByte(fault: Fault | undefined, bytes: number, totalMs: number): number {
  const at = Math.round((strikeMs(fault) / totalMs) * bytes);
  return at - (at % 2);
}

/** When a piece is due, and what a fault does after it. */
class Pace {
  readonly #answer: StreamedAnswer;
  readonly #beganMs = performance.now();
  #stalledMs = 0;
  #struck = false;

  constructor(answer: StreamedAnswer) {
    this.#answer = answer;
  }

  reaches(audioMs: number): Promise<boolean> {
    const { timing, signal } = this.#answer;
    return reached(this.#beganMs + this.#stalledMs + timing.generationMs(audioMs), signal);
  }

  /** Whether to go on. */
  async strikes(): Promise<boolean> {
    const { fault, response, signal } = this.#answer;
    if (this.#struck || fault === undefined) return true;
    this.#struck = true;
    if (fault.name === "drop-after-audio" || fault.name === "error-mid-stream") {
      response.destroy();
      return false;
    }
    if (fault.name !== "stall-mid-segment") return true;
    this.#stalledMs += faultDurationMs(fault);
    return await passed(faultDurationMs(fault), signal);
  }
}

/** Waits until the client has room again. False when it is gone. */
async function write(
  response: ServerResponse,
  piece: Buffer | string,
  signal: AbortSignal,
): Promise<boolean> {
  if (signal.aborted) return false;
  if (response.write(piece)) return true;
  return await new Promise((resolve) => {
    const done = (more: boolean) => {
      response.off("drain", onDrain);
      signal.removeEventListener("abort", onGone);
      resolve(more);
    };
    const onDrain = () => done(true);
    const onGone = () => done(false);
    response.once("drain", onDrain);
    signal.addEventListener("abort", onGone, { once: true });
  });
}
