import { type ResumePoint, WordTracker } from "@tts-labs/core/audio/word-tracker";
import { BYTES_PER_SAMPLE, samplesToMs } from "@tts-labs/protocol/audio/pcm";
import { MAX_ENTRY_BYTES, MAX_ENTRY_CHARACTERS } from "@tts-labs/protocol/limits";
import type { SynthesisAudio } from "../../synthesizer.ts";
import { TimedCharacters, untimedMarks } from "./timed-characters.ts";

/** A character with its two times, as JSON. */
const BYTES_PER_CHARACTER = 16;

export interface PendingEntry {
  readonly firstSample: number;
  readonly pcm: Uint8Array[];
  bytes: number;
  /** On the utterance's clock. */
  readonly timed: TimedCharacters;
  readonly splice: boolean;
}

export interface PendingAudioOptions {
  readonly sampleRateHz: number;
  /** The utterance's whole text as far as it is known. */
  readonly text: () => string;
}

/**
 * Audio that has been accepted and not yet appended, as entries of at most `MAX_ENTRY_BYTES` and
 * `MAX_ENTRY_CHARACTERS`. The times of a provider socket begin at 0; they are put on the utterance's clock here.
 */
export class PendingAudio {
  readonly #options: PendingAudioOptions;
  readonly #entries: PendingEntry[] = [];
  #from: ResumePoint;
  #words: WordTracker;
  /** Sample after the last one accepted. */
  #acceptedEnd = 0;
  /** The next entry is the first of its part, and replaces what is stored. */
  #splices = false;
  /**
   * Marks of the word before this part that no alignment has given times: without them they would miss from a caption.
   */
  #marks = "";

  constructor(options: PendingAudioOptions, from: ResumePoint) {
    this.#options = options;
    this.#from = from;
    this.#words = this.#trackWords();
  }

  /** Audio accepted from now on begins at `from`. */
  begin(from: ResumePoint, splice: boolean): void {
    this.#from = from;
    this.#acceptedEnd = from.sample;
    this.#splices = splice;
    this.#marks = splice ? untimedMarks(this.#options.text(), from) : "";
    this.#words = this.#trackWords();
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** About what all of it takes in the stream. */
  get bytes(): number {
    return this.#entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
  }

  clear(): void {
    this.#entries.length = 0;
  }

  /** The place to go on from after `sample`. */
  resumeAt(sample: number): ResumePoint {
    return this.#words.at(sample);
  }

  /** Adds marks that are spoken at `from` to an entry that begins at `firstSample`. */
  addMarks(marks: string, from: ResumePoint, firstSample: number): void {
    this.#acceptedEnd = firstSample;
    this.#openEntry(0).timed.addMarks(marks, samplesToMs(from.sample, this.#options.sampleRateHz));
  }

  accept(audio: SynthesisAudio): void {
    this.#acceptTimes(audio);
    let rest: Uint8Array = audio.pcm;
    while (rest.byteLength > 0) {
      const last = this.#openEntry(rest.byteLength);
      const piece = rest.subarray(0, MAX_ENTRY_BYTES - last.bytes);
      last.pcm.push(piece);
      last.bytes += piece.byteLength;
      this.#acceptedEnd += piece.byteLength / BYTES_PER_SAMPLE;
      rest = rest.subarray(piece.byteLength);
    }
  }

  /** Removes the oldest entries: as many as fit into `roomBytes`, and at least one. */
  take(roomBytes: number): PendingEntry[] {
    const taken: PendingEntry[] = [];
    let bytes = 0;
    for (let next = this.#entries[0]; next !== undefined; next = this.#entries[0]) {
      bytes += sizeOf(next);
      if (taken.length > 0 && bytes > roomBytes) break;
      this.#entries.shift();
      taken.push(next);
    }
    return taken;
  }

  /** Times go before the samples that they came with, in as many entries as they need. */
  #acceptTimes({ pcm, alignment }: SynthesisAudio): void {
    const { sampleRateHz } = this.#options;
    const partMs = samplesToMs(this.#from.sample, sampleRateHz);
    if (this.#marks !== "") this.#openEntry(pcm.byteLength).timed.addMarks(this.#marks, partMs);
    this.#marks = "";
    if (alignment === undefined) return;
    const endMs = samplesToMs(this.#acceptedEnd + pcm.byteLength / BYTES_PER_SAMPLE, sampleRateHz);
    const onClock = new TimedCharacters();
    onClock.add(alignment, 0, alignment.chars.length, partMs);
    this.#words.hear(onClock.within(endMs));
    for (let at = 0; at < alignment.chars.length; ) {
      const left = alignment.chars.length - at;
      // The last of them goes with the samples.
      const entry = this.#openEntry(left <= MAX_ENTRY_CHARACTERS ? pcm.byteLength : 0);
      const to = at + Math.min(left, MAX_ENTRY_CHARACTERS - entry.timed.count);
      entry.timed.add(alignment, at, to, partMs);
      at = to;
    }
  }

  /** The last entry if it has room for `bytes` and for more characters; a new one otherwise. */
  #openEntry(bytes: number): PendingEntry {
    const last = this.#entries.at(-1);
    const hasRoom = last !== undefined && last.timed.count < MAX_ENTRY_CHARACTERS;
    if (hasRoom && (last.bytes + bytes <= MAX_ENTRY_BYTES || last.bytes === 0)) return last;
    const entry: PendingEntry = {
      firstSample: this.#acceptedEnd,
      pcm: [],
      bytes: 0,
      timed: new TimedCharacters(),
      splice: this.#splices,
    };
    this.#splices = false;
    this.#entries.push(entry);
    return entry;
  }

  #trackWords(): WordTracker {
    const { text, sampleRateHz } = this.#options;
    return new WordTracker({ text, sampleRateHz, from: this.#from });
  }
}

/** About what an entry takes in the stream. */
const sizeOf = ({ bytes, timed }: PendingEntry): number => bytes + timed.count * BYTES_PER_CHARACTER;
