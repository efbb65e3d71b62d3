import { GatewayError } from "@tts-labs/protocol/errors";
import type { Alignment } from "../audio/alignment.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";

/** An alignment and the sample before which listeners are told of it. */
export interface Caption {
  readonly firstSample: number;
  readonly alignment: Alignment;
}

/** How one alignment is packed; the flags may be added. */
const FLAG = { charsOfAnyLength: 1, utf16: 2, floatStarts: 4, floatDurations: 8 } as const;

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Alignments as bytes, without loss: some 3 bytes per character of speech, where JSON takes 12. Times of one
 * alignment are mostly whole milliseconds after the first; where they are not, they stay floats.
 */
export function packCaptions(captions: readonly Caption[]): Uint8Array {
  const bytes = new ByteWriter();
  let sample = 0;
  for (const { firstSample, alignment } of captions) {
    bytes.signed(firstSample - sample);
    sample = firstSample;
    packAlignment(alignment, bytes);
  }
  return bytes.finish();
}

/** @throws GatewayError `internal` where these are not bytes of `packCaptions` */
export function unpackCaptions(packed: Uint8Array): Caption[] {
  const bytes = new ByteReader(packed);
  const captions: Caption[] = [];
  let sample = 0;
  while (!bytes.isAtEnd) {
    sample += bytes.signed();
    captions.push({ firstSample: sample, alignment: unpackAlignment(bytes) });
  }
  return captions;
}

function packAlignment({ chars, startMs, durationMs }: Alignment, bytes: ByteWriter): void {
  if (startMs.length !== chars.length || durationMs.length !== chars.length) {
    throw new GatewayError("internal", "An alignment's three lists differ in length.");
  }
  const text = chars.join("");
  const flags =
    (chars.every((char) => char.length === 1) ? 0 : FLAG.charsOfAnyLength) |
    (/\p{Surrogate}/u.test(text) ? FLAG.utf16 : 0) |
    (areWholeSteps(startMs) ? 0 : FLAG.floatStarts) |
    (durationMs.every((ms) => Number.isSafeInteger(ms) && ms >= 0 && !Object.is(ms, -0))
      ? 0
      : FLAG.floatDurations);
  bytes.whole(flags);
  bytes.whole(chars.length);
  const encoded = flags & FLAG.utf16 ? Buffer.from(text, "utf16le") : utf8.encode(text);
  bytes.whole(encoded.byteLength);
  bytes.raw(encoded);
  if (flags & FLAG.charsOfAnyLength) for (const char of chars) bytes.whole(char.length);
  if (flags & FLAG.floatStarts) for (const ms of startMs) bytes.float(ms);
  else {
    for (const [i, ms] of startMs.entries()) {
      if (i === 0) bytes.float(ms);
      else bytes.signed(stepTo(startMs, i));
    }
  }
  for (const ms of durationMs) {
    if (flags & FLAG.floatDurations) bytes.float(ms);
    else bytes.whole(ms);
  }
}

function unpackAlignment(bytes: ByteReader): Alignment {
  const flags = bytes.whole();
  const count = bytes.whole();
  const encoded = bytes.raw(bytes.whole());
  const text = flags & FLAG.utf16 ? Buffer.from(encoded).toString("utf16le") : fromUtf8.decode(encoded);
  const times = <T>(next: (i: number) => T) => Array.from({ length: count }, (_, i) => next(i));
  let at = 0;
  const chars = times(() => {
    const begin = at;
    at += flags & FLAG.charsOfAnyLength ? bytes.whole() : 1;
    return text.slice(begin, at);
  });
  let first = 0;
  let steps = 0;
  const startMs = times((i) => {
    if (flags & FLAG.floatStarts) return bytes.float();
    if (i === 0) first = bytes.float();
    else steps += bytes.signed();
    return i === 0 ? first : first + steps;
  });
  const durationMs = times(() => (flags & FLAG.floatDurations ? bytes.float() : bytes.whole()));
  return { chars, startMs, durationMs };
}

/** From the time before to that at `i`, as a whole number of milliseconds. */
const stepTo = (startMs: readonly number[], i: number): number =>
  Math.round((startMs[i] ?? 0) - (startMs[0] ?? 0)) - Math.round((startMs[i - 1] ?? 0) - (startMs[0] ?? 0));

/** Whether every time is the first one plus whole milliseconds, to the last bit. */
function areWholeSteps(startMs: readonly number[]): boolean {
  const [first = 0] = startMs;
  return startMs.every((ms, i) => {
    const step = Math.round(ms - first);
    return Number.isSafeInteger(step) && (i === 0 || Object.is(first + step, ms));
  });
}
