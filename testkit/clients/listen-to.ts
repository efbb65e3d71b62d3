import { type AudioEntry, parseAudioEntry } from "@tts-labs/core/session/entries";
import { parseUtteranceResult, type UtteranceResult } from "@tts-labs/core/session/utterance-result";
import type { StreamReader } from "@tts-labs/core/stream/stream";
import { joinEntries, type SplicedAudio } from "../speech/spliced-audio.ts";

export interface Heard extends SplicedAudio {
  readonly entries: readonly AudioEntry[];
  readonly result: UtteranceResult;
}

/**
 * An audio stream to its end, released as it is heard; closes the reader. Fails when nothing comes for `patienceMs`.
 */
export async function listenTo(reader: StreamReader, patienceMs: number): Promise<Heard> {
  const entries: AudioEntry[] = [];
  try {
    for (;;) {
      const read = await reader.read(8, AbortSignal.timeout(patienceMs));
      if (read.kind === "lost") throw new Error(`audio stream lost: ${read.reason}`);
      if (read.kind === "ended") {
        return { entries, ...joinEntries(entries), result: parseUtteranceResult(read.end.result) };
      }
      for (const entry of read.entries) {
        entries.push({ ...parseAudioEntry(entry), pcm: Buffer.from(entry.body) });
        reader.advance(entry.seq);
      }
    }
  } finally {
    await reader.close();
  }
}
