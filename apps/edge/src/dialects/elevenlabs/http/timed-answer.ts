import type { SpeechEvent } from "../../../delivery/speech-event.ts";
import { toBase64 } from "../wire/base64.ts";
import { ToldAlignment, toSecondsAlignment } from "../wire/told-alignment.ts";

/** The keys of one object of timed audio, without its audio. */
function toTimes(told: ToldAlignment): {
  readonly alignment: object | null;
  readonly normalized_alignment: object | null;
} {
  const taken = told.takeWords();
  const alignment = taken === undefined ? null : toSecondsAlignment(taken);
  // The edge knows one spelling of the text: the one that was spoken.
  return { alignment, normalized_alignment: alignment };
}

/**
 * Audio with its characters' times, one JSON object a line, each with its line end, the last one, too: ElevenLabs'
 * client loses a line that has none. Times count from the start of the utterance.
 */
export class TimedLines {
  readonly #told = new ToldAlignment();

  take(event: SpeechEvent): void {
    if (event.kind === "alignment") this.#told.add(event.alignment);
  }

  encode(audio: Uint8Array): Uint8Array {
    if (audio.byteLength === 0) return audio;
    return Buffer.from(`${JSON.stringify({ audio_base64: toBase64(audio), ...toTimes(this.#told) })}\n`);
  }

  /** Of characters that came after the last audio. */
  finish(): Uint8Array {
    const times = toTimes(this.#told);
    if (times.alignment === null) return new Uint8Array(0);
    return Buffer.from(`${JSON.stringify({ audio_base64: "", ...times })}\n`);
  }
}

/** The whole of it as one object. */
export class TimedWhole {
  readonly #told = new ToldAlignment();

  /** @returns the characters that it holds since */
  take(event: SpeechEvent): number {
    if (event.kind !== "alignment") return 0;
    this.#told.add(event.alignment);
    return event.alignment.chars.length;
  }

  /** What stands behind the audio in the object. */
  get rest(): string {
    return `",${JSON.stringify(toTimes(this.#told)).slice(1)}`;
  }
}
