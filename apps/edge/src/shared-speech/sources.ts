import type { CachedSpeech } from "@tts-labs/core/cache/audio-cache";
import { type AudioEntry, encodeAudioEntry } from "@tts-labs/core/session/entries";
import { encodeUtteranceResult } from "@tts-labs/core/session/utterance-result";
import type {
  ReadResult,
  StreamEntry,
  StreamPosition,
  StreamReader,
  StreamStore,
} from "@tts-labs/core/stream/stream";
import { GatewayError } from "@tts-labs/protocol/errors";

/** Names the one life of cached speech: it begins at its first entry for every reader. */
const EPOCH = "cached";
const NO_PCM: Uint8Array = new Uint8Array(0);

/** The source of an utterance's audio: its own stream, or what has the same to say. */
export type SpeechSource = Pick<StreamStore, "reader" | "inspect">;

/** A source that holds something for its one reader, from when it was found until it is closed. */
export interface HeldSource extends SpeechSource {
  /** It is not wanted any more, read or unread. May be called twice. */
  close(): void;
  /** As `close`, by a client that may come back for the rest: what is on its way to the cache still gets there. */
  leave(): void;
}

/** A leader's own stream, for a client that comes back to the middle of it: what is still held of it is enough. */
export function leaderSource(streams: StreamStore, leaderId: string): HeldSource {
  const stream = { tag: leaderId, name: "audio" } as const;
  return {
    reader: (_, options) => streams.reader(stream, { ...options, from: "oldest" }),
    inspect: () => streams.inspect(stream),
    close: () => {},
    leave: () => {},
  };
}

/** Cached speech as a stream that was written and ended, to be read once. */
export const cachedSource = (speech: CachedSpeech): HeldSource => ({
  reader: () => new CachedReader(speech),
  inspect: async () => undefined,
  close: () => speech.close(),
  leave: () => speech.close(),
});

class CachedReader implements StreamReader {
  readonly #speech: CachedSpeech;
  #seq = 0;
  /** Of the piece that is being given out: several where several alignments begin in it. */
  #entries: AudioEntry[] = [];
  #closed = false;

  constructor(speech: CachedSpeech) {
    this.#speech = speech;
  }

  get position(): StreamPosition | undefined {
    return this.#seq === 0 ? undefined : { epoch: EPOCH, seq: this.#seq };
  }

  /** @throws GatewayError `stream.lost` where the entry went meanwhile, `storage.*`, or the signal's reason */
  async read(maxEntries: number, signal?: AbortSignal): Promise<ReadResult> {
    signal?.throwIfAborted();
    if (this.#closed) throw new GatewayError("internal", "The reader is closed.");
    if (this.#entries.length === 0) await this.#take();
    signal?.throwIfAborted();
    const entries = this.#entries.splice(0, maxEntries).map((entry) => this.#toStored(entry));
    if (entries.length > 0) return { kind: "entries", epoch: EPOCH, entries };
    const { samples, characters } = this.#speech;
    const result = encodeUtteranceResult({ outcome: { kind: "completed" }, samples, characters });
    return { kind: "ended", end: { lastSeq: this.#seq, result } };
  }

  advance(): void {}

  forget(): void {}

  async close(): Promise<void> {
    this.#closed = true;
    this.#entries = [];
  }

  async #take(): Promise<void> {
    const piece = await this.#speech.next();
    if (piece === undefined) return;
    const { firstSample, pcm, alignments } = piece;
    const before = alignments.slice(0, -1).map((alignment) => ({ firstSample, pcm: NO_PCM, alignment }));
    const alignment = alignments.at(-1);
    this.#entries = [...before, { firstSample, pcm, ...(alignment === undefined ? {} : { alignment }) }];
  }

  #toStored(entry: AudioEntry): StreamEntry {
    this.#seq++;
    return { seq: this.#seq, ...encodeAudioEntry(entry) };
  }
}
