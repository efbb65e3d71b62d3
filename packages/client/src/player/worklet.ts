import { PROCESSOR_NAME } from "./processor-name.ts";
import { type LineCommand, type LineLimits, type LineReport, VoiceLine } from "./voice-line.ts";

/**
 * The AudioWorklet's side of the player, to be served as a module of its own (the edge's page serves it bundled
 * as `/fastrtc/player-worklet.js`). It reports when the state changes and else every 25 ms of audio.
 */
// Globals of AudioWorkletGlobalScope, which TypeScript's DOM library does not describe.
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare const sampleRate: number;
declare const currentTime: number;
declare function registerProcessor(
  name: string,
  processor: new (options: { readonly processorOptions: LineLimits }) => AudioWorkletProcessor,
): void;

const REPORT_INTERVAL_S = 0.025;

class PlayerProcessor extends AudioWorkletProcessor {
  readonly #line: VoiceLine;
  #reported: LineReport;
  #reportedAt = 0;

  constructor({ processorOptions }: { readonly processorOptions: LineLimits }) {
    super();
    this.#line = new VoiceLine(processorOptions);
    this.#reported = this.#line.report;
    this.port.onmessage = ({ data }: MessageEvent<LineCommand>) => this.#line.obey(data);
  }

  process(_inputs: readonly Float32Array[][], outputs: readonly Float32Array[][]): boolean {
    const out = outputs[0]?.[0];
    if (out === undefined) return true;
    this.#line.render(out);
    const { report } = this.#line;
    const changed = report.take !== this.#reported.take || report.state !== this.#reported.state;
    if (changed || (report.state !== "ended" && currentTime - this.#reportedAt >= REPORT_INTERVAL_S)) {
      this.#reported = report;
      this.#reportedAt = currentTime;
      // The block just rendered ends here on the context's clock.
      this.port.postMessage({ ...report, atTime: currentTime + out.length / sampleRate });
    }
    return true;
  }
}

registerProcessor(PROCESSOR_NAME, PlayerProcessor);
