import type { CacheStats } from "./audio-cache.ts";
import type { IndexedEntry } from "./cache-index.ts";

/** What all these entries come to. */
export function toStats(entries: readonly IndexedEntry[]): CacheStats {
  const byVoice = new Map<string, { entries: number; bytes: number }>();
  let bytes = 0;
  for (const entry of entries) {
    const of = byVoice.get(entry.voice) ?? { entries: 0, bytes: 0 };
    byVoice.set(entry.voice, { entries: of.entries + 1, bytes: of.bytes + entry.bytes });
    bytes += entry.bytes;
  }
  const voices = [...byVoice].map(([voice, of]) => ({ voice, ...of })).sort((a, b) => b.bytes - a.bytes);
  return { entries: entries.length, bytes, voices };
}
