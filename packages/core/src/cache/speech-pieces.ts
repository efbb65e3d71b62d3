import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { MAX_ENTRY_BYTES } from "@tts-labs/protocol/limits";
import type { Alignment } from "../audio/alignment.ts";
import type { SpeechPiece } from "./audio-cache.ts";
import type { Caption } from "./packed-captions.ts";

/** Cuts stored audio into pieces as streams have them, each with the captions that begin in it. */
export class SpeechPieces {
  readonly #captions: readonly Caption[];
  readonly #samples: number;
  #nextCaption = 0;
  #nextSample = 0;

  constructor(samples: number, captions: readonly Caption[]) {
    this.#samples = samples;
    this.#captions = captions;
  }

  get nextSample(): number {
    return this.#nextSample;
  }

  get isAtEnd(): boolean {
    return this.#nextSample >= this.#samples;
  }

  /** @param rest audio from `nextSample` on; only its beginning is taken */
  take(rest: Uint8Array): SpeechPiece {
    const firstSample = this.#nextSample;
    const pcm = rest.subarray(0, MAX_ENTRY_BYTES);
    this.#nextSample += pcm.byteLength / BYTES_PER_SAMPLE;
    return { firstSample, pcm, alignments: this.#takeAlignments() };
  }

  /** Those that begin before the next sample; with the last piece all that are left. */
  #takeAlignments(): Alignment[] {
    const taken: Alignment[] = [];
    for (
      let caption = this.#captions[this.#nextCaption];
      caption !== undefined && (caption.firstSample < this.#nextSample || this.isAtEnd);
      caption = this.#captions[this.#nextCaption]
    ) {
      taken.push(caption.alignment);
      this.#nextCaption++;
    }
    return taken;
  }
}
