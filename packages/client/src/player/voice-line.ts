import { SamplePages } from "./sample-pages.ts";

/** What the audio thread is told. `take` numbers the utterances of one player, so that late audio is recognised. */
export type LineCommand =
  | { readonly kind: "begin"; readonly take: number }
  | { readonly kind: "audio"; readonly take: number; readonly samples: Int16Array }
  /** What was given from sample `at` of the take on is replaced by what follows. */
  | { readonly kind: "splice"; readonly take: number; readonly at: number }
  /** All of the take's audio has been given. */
  | { readonly kind: "complete"; readonly take: number }
  /** Fade out, forget what waits. */
  | { readonly kind: "stop"; readonly take: number };

/** What the audio thread tells, at most once per rendered block. */
export interface LineReport {
  readonly take: number;
  readonly state: LineState;
  /** Samples of the take that have been handed to the output. */
  readonly played: number;
  readonly waiting: number;
  /** Times that the line ran dry while its take was incomplete. */
  readonly underruns: number;
  /** Samples that had been played when a splice replaced them. */
  readonly overtaken: number;
  /** The take needed more room than there is; what did not fit is lost. */
  readonly overflowed: boolean;
}

/** Waiting for enough to begin with (also after an underrun), playing, or at its end. */
export type LineState = "waiting" | "playing" | "ended";

export interface LineLimits {
  /** Samples that must wait before the line begins, unless the take is complete. */
  readonly startSamples: number;
  readonly maxSamples: number;
  /** Length of the fade in which a stopped take ends. */
  readonly fadeSamples: number;
}

/**
 * The player's heart: one take at a time, block by block, in the audio thread and without a clock of its own.
 * Silence is rendered before, after and (counted) where audio should have been but was not.
 */
export class VoiceLine {
  readonly #limits: LineLimits;
  readonly #pages: SamplePages;
  #take = 0;
  #state: LineState = "ended";
  #complete = false;
  #played = 0;
  #underruns = 0;
  #overtaken = 0;
  /** Samples of the audio that comes next whose time has passed. */
  #passed = 0;
  #overflowed = false;
  /** What is still to be heard of a stopped take, faded already; laid over whatever comes next. */
  #tail: Float32Array = new Float32Array(0);

  constructor(limits: LineLimits) {
    this.#limits = limits;
    this.#pages = new SamplePages(limits.maxSamples);
  }

  get report(): LineReport {
    return {
      take: this.#take,
      state: this.#state,
      played: this.#played,
      waiting: this.#pages.length,
      underruns: this.#underruns,
      overtaken: this.#overtaken,
      overflowed: this.#overflowed,
    };
  }

  obey(command: LineCommand): void {
    if (command.kind === "begin") {
      this.#stop();
      this.#begin(command.take);
    }
    if (command.take !== this.#take || this.#state === "ended") return;
    if (command.kind === "audio") this.#append(command.samples);
    if (command.kind === "splice") this.#splice(command.at);
    if (command.kind === "complete") this.#complete = true;
    if (command.kind === "stop") this.#stop();
  }

  /** Fills `out` entirely. */
  render(out: Float32Array): void {
    if (this.#state === "waiting") this.#startWhenReady();
    if (this.#state === "playing") this.#play(out);
    else out.fill(0);
    this.#layTail(out);
  }

  #begin(take: number): void {
    this.#take = take;
    this.#state = "waiting";
    this.#complete = false;
    this.#played = 0;
    this.#underruns = 0;
    this.#overtaken = 0;
    this.#passed = 0;
    this.#overflowed = false;
  }

  #append(samples: Int16Array): void {
    const passed = Math.min(this.#passed, samples.length);
    this.#passed -= passed;
    // Nothing after what did not fit: the audio would have a hole.
    if (!this.#overflowed && !this.#pages.append(samples.subarray(passed))) this.#overflowed = true;
  }

  /** Never back in time: of a word that has been begun, only what has not been heard is taken from the new audio. */
  #splice(at: number): void {
    this.#passed = Math.max(0, this.#played - at);
    this.#overtaken += this.#passed;
    this.#pages.truncate(at - this.#played);
  }

  #startWhenReady(): void {
    if (this.#pages.length >= this.#limits.startSamples) this.#state = "playing";
    else if (this.#complete) this.#state = this.#pages.length > 0 ? "playing" : "ended";
  }

  #play(out: Float32Array): void {
    const count = this.#pages.read(out);
    out.fill(0, count);
    this.#played += count;
    if (this.#complete && this.#pages.length === 0) this.#state = "ended";
    else if (count < out.length) {
      this.#underruns++;
      this.#state = "waiting";
    }
  }

  #stop(): void {
    if (this.#state === "playing") {
      const tail = new Float32Array(this.#limits.fadeSamples);
      const count = this.#pages.read(tail);
      this.#played += count;
      for (let i = 0; i < count; i++) tail[i] = (tail[i] ?? 0) * (1 - i / count);
      this.#tail = tail.subarray(0, count);
    }
    this.#state = "ended";
    this.#pages.clear();
  }

  #layTail(out: Float32Array): void {
    const count = Math.min(this.#tail.length, out.length);
    for (let i = 0; i < count; i++) out[i] = (out[i] ?? 0) + (this.#tail[i] ?? 0);
    this.#tail = this.#tail.subarray(count);
  }
}
