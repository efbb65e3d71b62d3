import type { Alignment } from "@tts-labs/core/audio/alignment";
import type { GatewayError } from "@tts-labs/protocol/errors";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import type { Synthesis, SynthesisAudio, Synthesizer } from "@tts-labs/worker/synthesizer";

export type ScriptStep =
  | { readonly kind: "audio"; readonly samples: number; readonly alignment?: Alignment }
  | { readonly kind: "fail"; readonly error: GatewayError }
  /** Says nothing more until aborted. */
  | { readonly kind: "hang" }
  /** Goes on once the text is complete. */
  | { readonly kind: "text-end" };

/** What one socket does: fails to open, hangs on opening, or plays its steps and says "final". */
export type Script = { readonly open: GatewayError | "hang" } | { readonly steps: readonly ScriptStep[] };

/** What one socket saw. */
export interface ScriptedSocket {
  readonly fresh: boolean;
  /** Pieces as they came, with "<flush>" and "<end>" between them. */
  readonly heard: string[];
  /** Chunks that have been pulled. */
  pulled: number;
  abortedWith: GatewayError | undefined;
  /** Iterated to its end or aborted, as its opener owes. */
  settled: boolean;
}

/** A provider that follows scripts, one per socket; the last one repeats. Its samples count up from 0. */
export class ScriptedSynthesizer implements Synthesizer {
  readonly provider = "scripted";
  readonly sockets: ScriptedSocket[] = [];
  readonly #scripts: readonly Script[];

  constructor(...scripts: Script[]) {
    this.#scripts = scripts;
  }

  open(_speech: SpeechOptions, signal: AbortSignal): Promise<Synthesis> {
    return this.#open(false, signal);
  }

  openFresh(_speech: SpeechOptions, signal: AbortSignal): Promise<Synthesis> {
    return this.#open(true, signal);
  }

  prewarm(): void {}

  async close(): Promise<void> {}

  async #open(fresh: boolean, signal: AbortSignal): Promise<Synthesis> {
    signal.throwIfAborted();
    const script = this.#scripts[Math.min(this.sockets.length, this.#scripts.length - 1)];
    const socket: ScriptedSocket = { fresh, heard: [], pulled: 0, abortedWith: undefined, settled: false };
    this.sockets.push(socket);
    if (script === undefined) throw new RangeError("a scripted synthesizer needs a script");
    if ("steps" in script) return new ScriptedSynthesis(socket, script.steps);
    socket.settled = true;
    if (script.open !== "hang") throw script.open;
    return new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }
}

class ScriptedSynthesis implements Synthesis {
  readonly opening = { warm: false, connectMs: 1 };
  readonly #socket: ScriptedSocket;
  readonly #steps: readonly ScriptStep[];
  readonly #aborted = new AbortController();
  #endText: () => void = () => {};
  readonly #textEnded = new Promise<void>((resolve) => {
    this.#endText = resolve;
  });

  constructor(socket: ScriptedSocket, steps: readonly ScriptStep[]) {
    this.#socket = socket;
    this.#steps = steps;
  }

  speak(text: string): void {
    this.#socket.heard.push(text);
  }

  flush(): void {
    this.#socket.heard.push("<flush>");
  }

  end(): void {
    this.#socket.heard.push("<end>");
    this.#endText();
  }

  abort(reason: GatewayError): void {
    if (this.#socket.settled) return;
    this.#socket.settled = true;
    this.#socket.abortedWith = reason;
    this.#aborted.abort(reason);
  }

  get events(): AsyncIterable<SynthesisAudio> {
    return this.#play();
  }

  async *#play(): AsyncGenerator<SynthesisAudio> {
    let sample = 0;
    for (const step of this.#steps) {
      await new Promise((resolve) => setImmediate(resolve));
      this.#aborted.signal.throwIfAborted();
      if (step.kind === "audio") {
        this.#socket.pulled += 1;
        const pcm = countingSamples(sample, step.samples);
        sample += step.samples;
        yield step.alignment === undefined ? { pcm } : { pcm, alignment: step.alignment };
      } else if (step.kind === "fail") {
        this.#socket.settled = true;
        throw step.error;
      } else if (step.kind === "text-end") await this.#unlessAborted(this.#textEnded);
      else await this.#unlessAborted(new Promise(() => {}));
    }
    this.#socket.settled = true;
  }

  #unlessAborted(wait: Promise<void>): Promise<void> {
    const { signal } = this.#aborted;
    return Promise.race([
      wait,
      new Promise<never>((_resolve, reject) => {
        if (signal.aborted) reject(signal.reason);
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      }),
    ]);
  }
}

/** PCM whose samples are `from`, `from + 1`, … (modulo 2¹⁵), so that a lost, doubled or moved one is seen. */
export function countingSamples(from: number, count: number): Buffer {
  const pcm = Buffer.alloc(count * 2);
  for (let i = 0; i < count; i++) pcm.writeInt16LE((from + i) % 32_768, i * 2);
  return pcm;
}
