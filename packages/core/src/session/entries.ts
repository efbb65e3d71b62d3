import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { type ErrorCode, GatewayError } from "@tts-labs/protocol/errors";
import type { Alignment } from "../audio/alignment.ts";
import type { ResumePoint } from "../audio/word-tracker.ts";
import type { EntryData } from "../stream/stream.ts";

/**
 * What the entries of an utterance's two streams mean. The head is JSON with short names, since it is
 * stored once per entry; the body is text in UTF-8 or PCM.
 */

/** Client → worker. Only `text` has a body. Nothing follows `cancel`; after `end` only `cancel` may. */
export type TextEntry =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "flush" }
  | { readonly kind: "end" }
  | { readonly kind: "cancel" };

/** Worker → readers: a chunk as the provider delivered it. */
export interface AudioEntry {
  /** Number of the chunk's first sample on the utterance's clock. */
  readonly firstSample: number;
  readonly pcm: Uint8Array;
  /** On the utterance's clock. */
  readonly alignment?: Alignment;
  /** Readers drop what they hold from `firstSample` on. */
  readonly splice?: true;
  /** The place where a successor begins after this chunk. */
  readonly resume?: ResumePoint;
  /** How often the utterance has been continued until now; absent: never. */
  readonly continuations?: number;
  /** How often a worker has left it to another of its own accord until now; absent: never. */
  readonly handovers?: number;
  /** The last entry of a worker that leaves: its successor continues by agreement. It has no samples. */
  readonly handedOver?: true;
  /** With `handedOver`: it was left because the client gave no text. */
  readonly parked?: true;
  /**
   * The substitute that speaks here. It stands on each of its chunks, so that a reader that begins in the middle knows
   * it.
   */
  readonly substitute?: Substitute;
  /** On the first chunk: where the time until it went, see `LatencyParts`. */
  readonly latencyMs?: LatencyParts;
}

/** The voice that speaks instead of what was asked for. */
export interface Substitute {
  readonly voice: string;
  readonly model: string;
  /** Name of another provider, for clients; absent where it is the same. */
  readonly provider?: string;
  /** What the first choice failed with. */
  readonly reason: ErrorCode;
}

/** Parts of the time to the first chunk, as the worker saw it; milliseconds. */
export interface LatencyParts {
  /** Job added → job begun. */
  readonly queue: number;
  /** Waiting for one of the provider's slots. */
  readonly slot: number;
  /** Getting a socket: near 0 from the pool. */
  readonly connect: number;
  /** First text sent → first audio of the provider. */
  readonly provider: number;
}

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();
const NO_BODY: Uint8Array = new Uint8Array(0);

export function encodeTextEntry(entry: TextEntry): EntryData {
  return {
    head: JSON.stringify({ k: entry.kind }),
    body: entry.kind === "text" ? utf8.encode(entry.text) : NO_BODY,
  };
}

/** @throws GatewayError `stream.lost` when the entry is not one of ours */
export function parseTextEntry(data: EntryData): TextEntry {
  const { k: kind } = parseHead<{ k: TextEntry["kind"] }>(data.head);
  if (kind === "text") return { kind, text: fromUtf8.decode(data.body) };
  return { kind };
}

interface AudioHead {
  readonly s: number;
  readonly x?: true;
  /** Resume: character, sample, whether it is an estimate, characters before it without times. */
  readonly r?: ShortResume;
  readonly n?: number;
  readonly h?: number;
  readonly o?: true;
  readonly p?: true;
  readonly a?: {
    readonly c: readonly string[];
    readonly s: readonly number[];
    readonly d: readonly number[];
  };
  readonly u?: Substitute;
  readonly l?: LatencyParts;
}

export function encodeAudioEntry(entry: AudioEntry): EntryData {
  const head: AudioHead = {
    s: entry.firstSample,
    ...(entry.splice === undefined ? {} : { x: entry.splice }),
    ...(entry.resume === undefined ? {} : { r: toShortResume(entry.resume) }),
    ...(entry.continuations === undefined ? {} : { n: entry.continuations }),
    ...(entry.handovers === undefined ? {} : { h: entry.handovers }),
    ...(entry.handedOver === undefined ? {} : { o: entry.handedOver }),
    ...(entry.parked === undefined ? {} : { p: entry.parked }),
    ...(entry.alignment === undefined
      ? {}
      : { a: { c: entry.alignment.chars, s: entry.alignment.startMs, d: entry.alignment.durationMs } }),
    ...(entry.substitute === undefined ? {} : { u: entry.substitute }),
    ...(entry.latencyMs === undefined ? {} : { l: entry.latencyMs }),
  };
  return { head: JSON.stringify(head), body: entry.pcm };
}

/** `pcm` is `data.body` itself. @throws GatewayError `stream.lost` when the entry is not one of ours */
export function parseAudioEntry(data: EntryData): AudioEntry {
  const head = parseHead<AudioHead>(data.head);
  return {
    firstSample: head.s,
    pcm: data.body,
    ...(head.a === undefined
      ? {}
      : { alignment: { chars: head.a.c, startMs: head.a.s, durationMs: head.a.d } }),
    ...(head.x === undefined ? {} : { splice: head.x }),
    ...(head.r === undefined ? {} : { resume: parseShortResume(head.r) }),
    ...(head.n === undefined ? {} : { continuations: head.n }),
    ...(head.h === undefined ? {} : { handovers: head.h }),
    ...(head.o === undefined ? {} : { handedOver: head.o }),
    ...(head.p === undefined ? {} : { parked: head.p }),
    ...(head.u === undefined ? {} : { substitute: head.u }),
    ...(head.l === undefined ? {} : { latencyMs: head.l }),
  };
}

export const samplesOf = (entry: AudioEntry): number => entry.pcm.byteLength / BYTES_PER_SAMPLE;

type ShortResume = readonly [char: number, sample: number, estimated?: 0 | 1, untimed?: number];

const toShortResume = ({ char, sample, estimated, untimed }: ResumePoint): ShortResume => {
  if (untimed !== undefined) return [char, sample, estimated ? 1 : 0, untimed];
  return estimated ? [char, sample, 1] : [char, sample];
};

const parseShortResume = ([char, sample, estimated, untimed]: ShortResume): ResumePoint => ({
  char,
  sample,
  ...(estimated === 1 ? { estimated: true } : {}),
  ...(untimed === undefined ? {} : { untimed }),
});

function parseHead<T>(head: string): T {
  try {
    return JSON.parse(head) as T;
  } catch (cause) {
    throw new GatewayError("stream.lost", "An entry of the stream can't be read.", { cause });
  }
}
