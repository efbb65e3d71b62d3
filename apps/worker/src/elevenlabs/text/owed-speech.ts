import type { Alignment } from "@tts-labs/core/audio/alignment";
import { TIMING_TOLERANCE_MS } from "../intake/provider-alignment.ts";

/** What the provider is known to owe, and since when (monotonic milliseconds). */
export type Waiting =
  /** Nothing is known to be owed: the client may take its time. */
  | { readonly kind: "nothing" }
  /** Speech was asked for and none has come yet; since `completeSinceMs` the provider has all of the text. */
  | { readonly kind: "first-audio"; readonly sinceMs: number; readonly completeSinceMs?: number }
  /** More speech is owed. */
  | { readonly kind: "more-audio"; readonly sinceMs: number }
  /** All speech is here, the final message is not. */
  | { readonly kind: "final"; readonly sinceMs: number };

/**
 * The provider's own default, characters before the 1st, 2nd, … generation; the last repeats (docs/elevenlabs.md 1.5).
 */
const DEFAULT_SCHEDULE: readonly number[] = [120, 160, 250, 290];

/** The same once the text has ended: all audio is here or on its way, and only the sums of both agree. */
const FINAL_TOLERANCE_MS = 50;

const SPEAKABLE = /[\p{L}\p{N}]/gu;

/**
 * How much of `text` must be heard: its letters and digits. White space, punctuation and symbols may be
 * left out of speech and of alignment alike, so nothing is concluded from their absence.
 */
export const speakableCharacters = (text: string): number => text.match(SPEAKABLE)?.length ?? 0;

/**
 * Keeps account of what was sent against what was heard, so that silence is judged only where speech is owed.
 *
 * A *trigger* makes the provider speak: a flush, the end, each message in `auto_mode`, or a threshold of the
 * schedule crossed. After the first three all that was sent is owed. After a threshold only something of the
 * text behind it is, since where the provider cuts its buffer is not known. What has been paid is told by
 * alignment: characters covered, and audio as long as the alignment says. Without alignment anything heard
 * since the last trigger counts as payment, but once the text has ended only the final message does.
 */
export class OwedSpeech {
  readonly #schedule: readonly number[];
  readonly #autoMode: boolean;
  /** Characters since the last trigger, white space included, as the provider counts them. */
  #buffered = 0;
  #generations = 0;
  #unflushed = false;
  /** Letters and digits sent, those before the current buffer, those owed, those covered by alignment. */
  #sent = 0;
  #sentBeforeBuffer = 0;
  #owed = 0;
  #covered = 0;
  #aligned = false;
  #alignedUntilMs = 0;
  #heardMs = 0;
  #firstTriggerAtMs: number | undefined;
  #lastTriggerAtMs = 0;
  #lastAudioAtMs: number | undefined;
  #endedAtMs: number | undefined;

  constructor(options: { readonly autoMode: boolean; readonly schedule?: readonly number[] | undefined }) {
    this.#autoMode = options.autoMode;
    this.#schedule = options.schedule ?? DEFAULT_SCHEDULE;
  }

  /** Letters and digits sent so far. */
  get speakable(): number {
    return this.#sent;
  }

  /** Text may be waiting at the provider: what a threshold triggers need not be all that was sent. */
  get textWaiting(): boolean {
    return this.#unflushed;
  }

  sent(text: string, nowMs: number): void {
    this.#buffered += text.length;
    this.#sent += speakableCharacters(text);
    if (this.#autoMode) {
      this.#trigger(this.#sent, nowMs);
      return;
    }
    this.#unflushed ||= text.trim() !== "";
    const threshold = this.#schedule[Math.min(this.#generations, this.#schedule.length - 1)] ?? 0;
    if (this.#buffered < threshold) return;
    this.#generations += 1;
    this.#trigger(Math.min(this.#sent, this.#sentBeforeBuffer + 1), nowMs);
  }

  flushed(nowMs: number): void {
    this.#unflushed = false;
    this.#trigger(this.#sent, nowMs);
  }

  ended(nowMs: number): void {
    this.#trigger(this.#sent, nowMs);
    this.#endedAtMs = nowMs;
  }

  /** @param heardMs length of all audio so far @param alignment on the run's clock, if it is of the text as sent */
  heard(heardMs: number, alignment: Alignment | undefined, nowMs: number): void {
    if (heardMs > this.#heardMs) this.#lastAudioAtMs = nowMs;
    this.#heardMs = heardMs;
    if (alignment === undefined) return;
    this.#aligned = true;
    this.#covered += speakableCharacters(alignment.chars.join(""));
    const last = alignment.chars.length - 1;
    const untilMs = (alignment.startMs[last] ?? 0) + (alignment.durationMs[last] ?? 0);
    this.#alignedUntilMs = Math.max(this.#alignedUntilMs, untilMs);
  }

  /** Audio has come since the last trigger. */
  get hasBegun(): boolean {
    return this.#lastAudioAtMs !== undefined && this.#lastAudioAtMs >= this.#lastTriggerAtMs;
  }

  get waiting(): Waiting {
    const lastAudioAtMs = this.#lastAudioAtMs;
    if (lastAudioAtMs === undefined) {
      if (this.#firstTriggerAtMs !== undefined) {
        return {
          kind: "first-audio",
          sinceMs: this.#firstTriggerAtMs,
          ...(this.#endedAtMs === undefined ? {} : { completeSinceMs: this.#endedAtMs }),
        };
      }
      if (this.#endedAtMs !== undefined) return { kind: "final", sinceMs: this.#endedAtMs };
      return { kind: "nothing" };
    }
    const sinceMs = Math.max(lastAudioAtMs, this.#lastTriggerAtMs, this.#endedAtMs ?? 0);
    if (this.#moreIsOwed(lastAudioAtMs)) return { kind: "more-audio", sinceMs };
    return this.#endedAtMs === undefined ? { kind: "nothing" } : { kind: "final", sinceMs };
  }

  #moreIsOwed(lastAudioAtMs: number): boolean {
    if (!this.#aligned) return this.#endedAtMs !== undefined || lastAudioAtMs < this.#lastTriggerAtMs;
    const toleranceMs = this.#endedAtMs === undefined ? TIMING_TOLERANCE_MS : FINAL_TOLERANCE_MS;
    return this.#covered < this.#owed || this.#heardMs + toleranceMs < this.#alignedUntilMs;
  }

  #trigger(owed: number, nowMs: number): void {
    this.#buffered = 0;
    this.#sentBeforeBuffer = this.#sent;
    if (owed <= this.#owed) return;
    this.#owed = owed;
    this.#firstTriggerAtMs ??= nowMs;
    this.#lastTriggerAtMs = nowMs;
  }
}
