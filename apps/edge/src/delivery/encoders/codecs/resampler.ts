import loadSpeex, { type SpeexModule } from "@echogarden/speex-resampler-wasm/simd";

/** SpeexDSP's scale from 0 to 10. 5 keeps aliases 75 dB below speech; 10 costs three times as much. */
const QUALITY = 5;
/** Samples that go in at once; six times as many may come out of them (8 to 48 kHz), and some for the rounding. */
const RUN_SAMPLES = 2_048;
const OUTPUT_SAMPLES = 6 * RUN_SAMPLES + 64;
const NO_SAMPLES = new Int16Array(0);

/** Memory inside the module that all resamplers of a thread use, one after the other. */
interface Workspace {
  readonly speex: SpeexModule;
  readonly input: number;
  readonly output: number;
  readonly inputLength: number;
  readonly outputLength: number;
}

let workspace: Promise<Workspace> | undefined;

async function openWorkspace(): Promise<Workspace> {
  const speex = await loadSpeex();
  return {
    speex,
    input: speex._malloc(2 * RUN_SAMPLES),
    output: speex._malloc(2 * OUTPUT_SAMPLES),
    inputLength: speex._malloc(4),
    outputLength: speex._malloc(4),
  };
}

/**
 * Changes the sample rate of one utterance, run by run, as if it had come in one piece: the filter's memory goes from
 * run to run, so there are no seams. Its delay is taken off at the start and given at the end: the first sample stays
 * the first, and as many come out as last equally long.
 */
export class Resampler {
  readonly #workspace: Workspace;
  readonly #state: number;
  readonly #ratio: number;
  #takenSamples = 0;
  #givenSamples = 0;

  private constructor(workspace: Workspace, fromHz: number, toHz: number) {
    this.#workspace = workspace;
    this.#ratio = toHz / fromHz;
    const { speex, inputLength: error } = workspace;
    this.#state = speex._speex_resampler_init(1, fromHz, toHz, QUALITY, error);
    if (this.#state === 0) throw new Error(`no resampler from ${fromHz} to ${toHz} Hz`);
    speex._speex_resampler_skip_zeros(this.#state);
  }

  static async open(fromHz: number, toHz: number): Promise<Resampler> {
    workspace ??= openWorkspace();
    return new Resampler(await workspace, fromHz, toHz);
  }

  push(samples: Int16Array): Int16Array {
    this.#takenSamples += samples.length;
    return this.#run(samples);
  }

  /** What the filter still holds. */
  finish(): Int16Array {
    const { speex } = this.#workspace;
    const held = this.#run(new Int16Array(speex._speex_resampler_get_input_latency(this.#state)));
    const missing = Math.round(this.#takenSamples * this.#ratio) - this.#givenSamples + held.length;
    return held.subarray(0, Math.max(0, missing));
  }

  close(): void {
    this.#workspace.speex._speex_resampler_destroy(this.#state);
  }

  #run(samples: Int16Array): Int16Array {
    const parts: Int16Array[] = [];
    for (let at = 0; at < samples.length; ) {
      const { taken, given } = this.#runOnce(samples.subarray(at, at + RUN_SAMPLES));
      at += taken;
      parts.push(given);
      if (taken === 0 && given.length === 0) throw new Error("the resampler stands still");
    }
    const result = joined(parts);
    this.#givenSamples += result.length;
    return result;
  }

  #runOnce(samples: Int16Array): { readonly taken: number; readonly given: Int16Array } {
    const { speex, input, output, inputLength, outputLength } = this.#workspace;
    speex.HEAP16.set(samples, input / 2);
    speex.HEAPU32[inputLength / 4] = samples.length;
    speex.HEAPU32[outputLength / 4] = OUTPUT_SAMPLES;
    const state = this.#state;
    const failure = speex._speex_resampler_process_int(state, 0, input, inputLength, output, outputLength);
    if (failure !== 0) throw new Error(`the resampler failed with ${failure}`);
    const taken = speex.HEAPU32[inputLength / 4] ?? 0;
    const given = speex.HEAPU32[outputLength / 4] ?? 0;
    return { taken, given: speex.HEAP16.slice(output / 2, output / 2 + given) };
  }
}

function joined(parts: readonly Int16Array[]): Int16Array {
  const [first = NO_SAMPLES] = parts;
  if (parts.length <= 1) return first;
  const all = new Int16Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
