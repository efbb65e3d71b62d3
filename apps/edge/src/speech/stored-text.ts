import { parseTextEntry } from "@tts-labs/core/session/entries";
import type { StreamStore } from "@tts-labs/core/stream/stream";
import { MAX_TEXT_STREAM_BYTES, type RestoredText } from "./utterance-text.ts";

const ENTRIES_PER_READ = 64;

/**
 * Takes an utterance's text over from the edge that wrote it, which can append no more from then on, and reads
 * what is stored. `undefined` where there is no such stream.
 * @throws GatewayError `lease.lost` where a later holder has it already, `storage.*`
 */
export async function takeOverText(
  streams: StreamStore,
  owner: {
    readonly nodeId: string;
    readonly utteranceId: string;
    readonly ttlMs: number;
    /** Epoch of the session's hold: an earlier holder can't take the text from a later one. */
    readonly rank?: number;
  },
): Promise<RestoredText | undefined> {
  const { nodeId, utteranceId, ttlMs, rank } = owner;
  const stream = { tag: utteranceId, name: "text" } as const;
  if ((await streams.inspect(stream)) === undefined) return undefined;
  const claim = { owner: nodeId, maxBytes: MAX_TEXT_STREAM_BYTES, ttlMs };
  const writer = await streams.claim(stream, rank === undefined ? claim : { ...claim, rank });
  // Named apart from the worker, whose place in the stream is its own.
  const reader = streams.reader(stream, { readerId: nodeId, ttlMs });
  let text = "";
  const flushes: number[] = [];
  let isComplete = false;
  try {
    for (let seq = 0; seq < writer.lastSeq; ) {
      const read = await reader.read(ENTRIES_PER_READ);
      if (read.kind !== "entries") return undefined;
      for (const stored of read.entries) {
        const entry = parseTextEntry(stored);
        if (entry.kind === "text") text += entry.text;
        else if (entry.kind === "flush") flushes.push(text.length);
        else isComplete = true;
        seq = stored.seq;
      }
    }
  } finally {
    await reader.close();
  }
  return { writer, text, flushes, isComplete };
}
