import type { AudioEntry } from "@tts-labs/core/session/entries";

/** A run of samples that one provider socket spoke without a break. */
export interface SpokenPart {
  readonly firstSample: number;
  /** Index in the utterance's text where it begins; 0 for the first. */
  readonly char: number;
  readonly pcm: Buffer;
}

export interface SplicedAudio {
  /** As a listener has it in the end: what a splice replaced is gone. */
  readonly pcm: Buffer;
  /** As they were spoken, the replaced ends included. */
  readonly parts: readonly SpokenPart[];
  /** Samples that had been delivered and were replaced. */
  readonly replacedSamples: number;
}

/**
 * Puts entries together as readers must. @throws Error where the samples of a part are not dense, or a splice leaves a
 * gap
 */
export function joinEntries(entries: readonly AudioEntry[]): SplicedAudio {
  let pcm = Buffer.alloc(0);
  let replacedSamples = 0;
  const parts: SpokenPart[] = [];
  let char = 0;
  for (const entry of entries) {
    const due = pcm.byteLength / 2;
    if (entry.splice ? entry.firstSample > due : entry.firstSample !== due) {
      throw new Error(`sample ${entry.firstSample} came where ${due} was due`);
    }
    replacedSamples += due - entry.firstSample;
    pcm = Buffer.concat([pcm.subarray(0, entry.firstSample * 2), entry.pcm]);
    const part = parts.at(-1);
    if (part === undefined || entry.splice) {
      parts.push({ firstSample: entry.firstSample, char, pcm: Buffer.from(entry.pcm) });
    } else parts[parts.length - 1] = { ...part, pcm: Buffer.concat([part.pcm, entry.pcm]) };
    char = entry.resume?.char ?? char;
  }
  return { pcm, parts, replacedSamples };
}
