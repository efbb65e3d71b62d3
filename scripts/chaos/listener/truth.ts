import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { renderSpeech } from "@tts-labs/simulator/voice/render";

/** A word of a text, and the sample at which the voice begins it. */
export interface TrueWord {
  /** Index in the text, in UTF-16 code units. */
  readonly char: number;
  readonly firstSample: number;
}

/** What a voice makes of a text when nothing goes wrong. */
export interface Truth {
  readonly pcm: Buffer;
  readonly samples: number;
  readonly words: readonly TrueWord[];
  /** The end of the last letter: what follows is its ringing out, and a pause. */
  readonly saidSample: number;
}

const SAMPLES_PER_MS = 24;

/** The simulator's own renderings, each made once: a run has some dozens of texts, and their rests at splices. */
export class Truths {
  readonly #known = new Map<string, Promise<Truth>>();

  of(text: string, voice: string): Promise<Truth> {
    const key = `${voice} ${text}`;
    const known = this.#known.get(key) ?? render(text, voice);
    this.#known.set(key, known);
    return known;
  }
}

async function render(text: string, voice: string): Promise<Truth> {
  if (text.trim() === "") return { pcm: Buffer.alloc(0), samples: 0, words: [], saidSample: 0 };
  const { pcm, alignment } = await renderSpeech({ text, voice, sampleRateHz: SAMPLES_PER_MS * 1000 });
  const words: TrueWord[] = [];
  let char = 0;
  let inWord = false;
  let saidMs = 0;
  for (const [i, aligned] of alignment.chars.entries()) {
    const isSpace = aligned.trim() === "";
    if (!isSpace && !inWord) {
      words.push({ char, firstSample: Math.round((alignment.startMs[i] ?? 0) * SAMPLES_PER_MS) });
    }
    inWord = !isSpace;
    if (/[\p{L}\p{N}]/u.test(aligned)) {
      saidMs = (alignment.startMs[i] ?? 0) + (alignment.durationMs[i] ?? 0);
    }
    char += aligned.length;
  }
  const saidSample = Math.round(saidMs * SAMPLES_PER_MS);
  return { pcm, samples: pcm.byteLength / BYTES_PER_SAMPLE, words, saidSample };
}
