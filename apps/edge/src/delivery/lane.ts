import type { UtteranceEnd } from "@tts-labs/core/session/utterance-end";
import type { Frame } from "./frame.ts";
import type { SpeechEvent } from "./speech-event.ts";
import type { DeliveryTally } from "./tally.ts";

export type LaneItem =
  | { readonly kind: "frame"; readonly frame: Frame; readonly of: DeliveryTally }
  | { readonly kind: "caption"; readonly event: SpeechEvent; readonly of: DeliveryTally }
  | { readonly kind: "notice"; readonly event: SpeechEvent; readonly of: DeliveryTally }
  /** Created when it is sent: the totals are known only then. */
  | {
      readonly kind: "end";
      readonly toEnd: () => UtteranceEnd;
      readonly of: DeliveryTally;
      readonly onConfirmed?: () => void;
    };

export interface Drops {
  readonly frames: number;
  readonly samples: number;
}

/** What waits to be sent, in order: frames, the captions and notices before them, the ends of their utterances. */
export class Lane {
  readonly #onFrames: (delta: number) => void;
  readonly #items: LaneItem[] = [];
  /** Drops not told yet, by utterance. */
  readonly #untold = new Map<DeliveryTally, Drops>();
  #frames = 0;

  /** `onFrames`: change of the number of frames that wait. */
  constructor(onFrames: (delta: number) => void) {
    this.#onFrames = onFrames;
  }

  get length(): number {
    return this.#items.length;
  }

  get frames(): number {
    return this.#frames;
  }

  get first(): LaneItem | undefined {
    return this.#items[0];
  }

  push(item: LaneItem): void {
    this.#items.push(item);
    if (item.kind === "frame") this.#count(1);
  }

  /** Takes the first item out. */
  shift(): void {
    if (this.#items.shift()?.kind === "frame") this.#count(-1);
  }

  /** Throws away an utterance's frames from `sample` on. */
  takeBack(of: DeliveryTally, sample: number): void {
    this.#keep((item) => item.kind !== "frame" || item.of !== of || item.frame.firstSample < sample);
  }

  /** Throws away all of an utterance. */
  discard(of: DeliveryTally): void {
    this.#keep((item) => item.of !== of);
    this.#untold.delete(of);
  }

  clear(): void {
    this.#keep(() => false);
    this.#untold.clear();
  }

  /**
   * Drops the oldest frame with the captions before it; an utterance's last frame stays, and that of a splice,
   * since they say what they are. @returns whether there was one
   */
  dropOldestFrame(): boolean {
    const at = this.#items.findIndex(
      (item) => item.kind === "frame" && !item.frame.last && !item.frame.splice,
    );
    const dropped = this.#items[at];
    if (dropped?.kind !== "frame") return false;
    const { of, frame } = dropped;
    const before = this.#items.splice(0, at + 1);
    this.#items.unshift(...before.filter((it) => it !== dropped && !(it.kind === "caption" && it.of === of)));
    const untold = this.#untold.get(of) ?? { frames: 0, samples: 0 };
    this.#untold.set(of, { frames: untold.frames + 1, samples: untold.samples + frame.samples });
    of.droppedFrames++;
    this.#count(-1);
    return true;
  }

  /** What was dropped of an utterance since the last call. */
  takeDrops(of: DeliveryTally): Drops | undefined {
    const untold = this.#untold.get(of);
    this.#untold.delete(of);
    return untold;
  }

  #keep(isKept: (item: LaneItem) => boolean): void {
    const kept = this.#items.filter(isKept);
    const frames = kept.reduce((sum, { kind }) => sum + (kind === "frame" ? 1 : 0), 0);
    this.#items.splice(0, this.#items.length, ...kept);
    this.#count(frames - this.#frames);
  }

  #count(delta: number): void {
    if (delta === 0) return;
    this.#frames += delta;
    this.#onFrames(delta);
  }
}
