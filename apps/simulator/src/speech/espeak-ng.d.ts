/** The part of the package that we use; it ships no types. Its voice engine is GPL-3: see docs/simulator.md. */
declare module "@echogarden/espeak-ng-emscripten" {
  export interface EspeakEvent {
    readonly type: "samplerate" | "sentence" | "word" | "phoneme" | "end" | string;
    /** From 1, in characters (code points). */
    readonly text_position: number;
    readonly word_length: number;
    /** Milliseconds from the start. */
    readonly audio_position: number;
    /** Of a phoneme: its name, empty for a pause. */
    readonly id?: string | number;
  }
  export interface EspeakWorker {
    set_voice(name: string): number;
    set_rate(wordsPerMinute: number): number;
    set_pitch(pitch: number): number;
    set_range(range: number): number;
    set_volume(volume: number): number;
    /** Synchronous. `samples` is a view into the heap, gone when the callback returns; true stops early. */
    synthesize(
      text: string,
      onChunk: (samples: Int16Array | null, events: EspeakEvent[] | null) => boolean,
    ): void;
  }
  export interface EspeakModule {
    readonly HEAPU8: Uint8Array;
    readonly eSpeakNGWorker: new () => EspeakWorker;
  }
  export default function load(): Promise<EspeakModule>;
}
