import type { UtteranceEnd } from "@tts-labs/core/session/utterance-end";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { Frame } from "./frame.ts";
import { Lane, type LaneItem } from "./lane.ts";
import type { OutboundOptions } from "./outbound-options.ts";
import { SlowClientWatch } from "./slow-client.ts";
import type { SpeechEvent } from "./speech-event.ts";
import type { DeliveryTally } from "./tally.ts";

/** Captions and ends that may wait among the frames; a reader waits beyond it. */
const MAX_LANE_ITEMS = 100;
/** Messages that may wait beside the lane; beyond it the client is cut off with `capacity.slow_client`. */
const MAX_WAITING_MESSAGES = 256;

interface Waiter {
  readonly frames: number;
  readonly resolve: () => void;
}

/**
 * The one door through which speech leaves, whatever the sink.
 *
 * Frames, captions and ends wait in one *lane*, in order; at most `maxFrames` frames, which the one who fills
 * it asks for with `room`. Other messages go *now*, past the lane. What the sink does not take stays here and
 * goes when its owner calls `resume`. With `drop-oldest` a full lane in front of a sink that does not take
 * loses its oldest frame instead of making the reader wait; the loss is told before the next frame.
 *
 * All that becomes ready in one tick leaves in one batch.
 */
export class Outbound {
  readonly #options: OutboundOptions;
  readonly #lane: Lane;
  /** What the dialect has to send past the lane, in order. */
  readonly #messages: (() => void)[] = [];
  #waiter: Waiter | undefined;
  #flushScheduled = false;
  #pacingTimer: NodeJS.Timeout | undefined;
  readonly #slow: SlowClientWatch | undefined;
  #closed = false;

  constructor(options: OutboundOptions) {
    this.#options = options;
    const { slowClient, observer } = options;
    this.#lane = new Lane((delta) => observer.queuedFrames(delta));
    if (slowClient === undefined) return;
    this.#slow = new SlowClientWatch({
      ...slowClient,
      onNotice: (waitedMs, leftMs) => this.#tellSlow(waitedMs, leftMs),
      onCut: () => this.#overflow(),
    });
  }

  get queuedFrames(): number {
    return this.#lane.frames;
  }

  /** Messages that go past the lane and that the client has not taken. */
  get waitingMessages(): number {
    return this.#messages.length;
  }

  /**
   * Resolves once `frames` more may be pushed (all of them when `frames` is more than the lane takes); one
   * caller at a time. @throws the signal's reason
   */
  room(frames: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.hasRoom(frames)) return Promise.resolve();
    return new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        this.#waiter = undefined;
        reject(signal.reason);
      };
      const done = () => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiter = { frames, resolve: done };
    });
  }

  /**
   * Whether `room` would resolve at once: the first to ask pushes on within the tick, and all of it leaves as one.
   * A paced lane that is full because of the clock is no reason to drop; a sink that does not take is.
   */
  hasRoom(frames: number): boolean {
    const { maxFrames, overflow, sink } = this.#options;
    if (this.#closed) return true;
    const waitingElse = this.#lane.length - this.queuedFrames;
    if (overflow === "drop-oldest" && !sink.writable) return waitingElse < MAX_LANE_ITEMS;
    return this.queuedFrames <= Math.max(0, maxFrames - frames) && waitingElse < MAX_LANE_ITEMS;
  }

  /** Frames that may still be put in before the lane is full. */
  get freeFrames(): number {
    return Math.max(0, this.#options.maxFrames - this.queuedFrames);
  }

  /** In order with the other frames. The caller has asked for `room`. */
  frame(frame: Frame, of: DeliveryTally): void {
    if (this.#closed) return;
    const { maxFrames, observer } = this.#options;
    if (this.queuedFrames >= maxFrames && this.#lane.dropOldestFrame()) observer.framesDropped(1);
    this.#lane.push({ kind: "frame", frame, of });
    this.#scheduleFlush();
  }

  /** Words and alignment: in order before the frames they belong to, dropped with them. */
  caption(event: SpeechEvent, of: DeliveryTally): void {
    this.#push({ kind: "caption", event, of });
  }

  /** In order before the frames it is about, and told even where those are dropped. */
  notice(event: SpeechEvent, of: DeliveryTally): void {
    this.#push({ kind: "notice", event, of });
  }

  /**
   * How an utterance ended, after all of its frames.
   * @param toEnd asked when it is sent
   * @param onConfirmed called once the client is known to have it all; never where the connection ends before
   */
  end(of: DeliveryTally, toEnd: () => UtteranceEnd, onConfirmed?: () => void): void {
    this.#push({ kind: "end", toEnd, of, ...(onConfirmed === undefined ? {} : { onConfirmed }) });
  }

  /** Calls `send` as soon as the sink takes more, past all that waits in the lane. */
  now(send: () => void): void {
    if (this.#closed) return;
    if (this.#messages.length >= MAX_WAITING_MESSAGES) this.#overflow();
    else {
      this.#messages.push(send);
      this.#scheduleFlush();
    }
  }

  /** A splice: frames from `sample` on need not be sent any more. */
  takeBack(of: DeliveryTally, sample: number): void {
    this.#lane.takeBack(of, sample);
  }

  /** Throws away what waits of an utterance; nothing of it is sent after this. */
  discard(of: DeliveryTally): void {
    this.#lane.discard(of);
    this.#options.sink.discard?.(of);
    this.#options.pacer?.reset();
    this.#scheduleFlush();
  }

  /** The sink takes more again. Does bounded work: at most what waits. */
  resume(): void {
    this.#slow?.moves();
    this.#flush();
  }

  /** Throws away what waits, for good. May be called twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#pacingTimer);
    this.#slow?.close();
    this.#lane.clear();
    this.#messages.length = 0;
    this.#releaseWaiter();
  }

  #push(item: LaneItem): void {
    if (this.#closed) return;
    if (this.#lane.length >= MAX_LANE_ITEMS + MAX_WAITING_MESSAGES) this.#overflow();
    else {
      this.#lane.push(item);
      this.#scheduleFlush();
    }
  }

  #overflow(): void {
    this.#options.onOverflow(new GatewayError("capacity.slow_client"));
  }

  /** Goes to a sink that takes no more, which has room for this one message and gives it out when it is read again. */
  #tellSlow(waitedMs: number, leftMs: number): void {
    const { sink, observer } = this.#options;
    observer.slowClientTold();
    sink.batch(() => sink.tellSlow?.({ waitedMs, cutOffInMs: leftMs, queuedFrames: this.queuedFrames }));
  }

  #releaseWaiter(): void {
    const waiter = this.#waiter;
    if (waiter === undefined || !this.hasRoom(waiter.frames)) return;
    this.#waiter = undefined;
    waiter.resolve();
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#flushScheduled = false;
    if (this.#closed) return;
    const { sink } = this.#options;
    if (sink.writable && (this.#messages.length > 0 || this.#lane.length > 0)) {
      sink.batch(() => {
        while (sink.writable) {
          const send = this.#messages.shift();
          if (send === undefined) break;
          send();
        }
        while (sink.writable && this.#sendNextItem());
      });
    }
    if (!sink.writable && this.#messages.length + this.#lane.length > 0) this.#slow?.stands();
    this.#releaseWaiter();
  }

  /** @returns whether there may be more to send now */
  #sendNextItem(): boolean {
    const item = this.#lane.first;
    if (item === undefined) return false;
    if (item.kind === "frame" && !this.#isDue()) return false;
    this.#lane.shift();
    const { sink } = this.#options;
    if (item.kind === "caption" || item.kind === "notice") sink.tell(item.event, item.of);
    else {
      this.#tellDrops(item.of);
      if (item.kind === "frame") this.#sendFrame(item.frame, item.of);
      else {
        sink.tell({ kind: "ended", end: item.toEnd() }, item.of);
        this.#awaitConfirmation(item.onConfirmed);
      }
    }
    return true;
  }

  #isDue(): boolean {
    const delayMs = this.#options.pacer?.delayMs(this.queuedFrames, performance.now()) ?? 0;
    if (delayMs === 0) return true;
    clearTimeout(this.#pacingTimer);
    this.#pacingTimer = setTimeout(() => this.#flush(), Math.ceil(delayMs));
    return false;
  }

  #sendFrame(frame: Frame, of: DeliveryTally): void {
    const nowMs = performance.now();
    this.#options.pacer?.sent(frame.samples, nowMs);
    of.firstSentAtMs ??= nowMs;
    of.sentFrames++;
    if (frame.splice) this.#countSplice(frame, of);
    of.sentSamples += frame.samples;
    of.sentUpTo = frame.firstSample + frame.samples;
    const { sink, observer } = this.#options;
    sink.sendFrame(frame, of);
    observer.framesSent(1, (sink.frameHeaderBytes ?? 0) + frame.pcm.byteLength);
  }

  #awaitConfirmation(act: (() => void) | undefined): void {
    const { sink } = this.#options;
    if (act === undefined) return;
    if (sink.whenConfirmed === undefined) act();
    else sink.whenConfirmed(act);
  }

  #countSplice(frame: Frame, of: DeliveryTally): void {
    const replaced = Math.max(0, of.sentUpTo - frame.firstSample);
    of.splices++;
    of.replacedSamples += replaced;
    of.sentSamples = Math.max(0, of.sentSamples - replaced);
    this.#options.pacer?.takenBack(replaced);
  }

  #tellDrops(of: DeliveryTally): void {
    const drops = this.#lane.takeDrops(of);
    if (drops === undefined) return;
    this.#options.sink.tell({ kind: "dropped", ...drops }, of);
  }
}
