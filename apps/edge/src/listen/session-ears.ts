import { setTimeout as sleep } from "node:timers/promises";
import type { BroadcastReader, HeardEntry, HeardNews } from "@tts-labs/core/broadcast/broadcast";
import type { Logger } from "@tts-labs/core/logger";
import { GatewayError } from "@tts-labs/protocol/errors";
import { encodeListenMessage } from "@tts-labs/protocol/listen-message";
import { GivenEntries } from "./given-entries.ts";
import type { ListenObserver } from "./listen-observer.ts";
import { LISTENER_MAX_BUFFERED_BYTES, type Listener } from "./listener.ts";
import { PlayClock } from "./play-clock.ts";

/** Entries of one read. */
const ENTRIES_PER_READ = 64;
/** Read and not yet due; beyond it nothing more is read. */
const MAX_AHEAD_BYTES = 1024 * 1024;
/** A lost bell costs so much at most. */
const LOOK_AGAIN_MS = 1_000;
const RETRY_AFTER_MS = 500;
/** What is due within this goes at once: timers are no finer. */
const DUE_WITHIN_MS = 2;

export interface SessionEarsOptions {
  readonly reader: BroadcastReader;
  /** The edge's own, for sessions that have none. */
  readonly sampleRateHz: number;
  /** Gives a message to all who follow; encoded once, whatever their number. */
  readonly publish: (body: Uint8Array, isBinary: boolean) => void;
  readonly observer: ListenObserver;
  readonly logger: Logger;
  /** The session is over, or nothing is known of it any more. */
  readonly onOver: () => void;
}

interface Due {
  readonly entry: HeardEntry;
  /** By `performance.now()`. */
  readonly atMs: number;
}

/**
 * All listeners of one session on this edge: one reader of its broadcast, from the oldest entry on, which gives every
 * entry out when it is due. What was due before the first listener came is held for those who ask for it.
 */
export class SessionEars {
  readonly listeners = new Set<Listener>();
  readonly #options: SessionEarsOptions;
  /** Of the session, once that is known. */
  #sampleRateHz: number;
  #clock: PlayClock | undefined;
  readonly #given = new GivenEntries();
  #ahead: Due[] = [];
  #aheadBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Redis' time less `performance.now()`. */
  #offsetMs: number | undefined;
  /** All that had been stored before the first listener came has been read. */
  #isPlaced = false;
  /** Utterance that is being given out. */
  #utterance: number | undefined;
  /** Of the last frame given out. */
  #place = { utterance: 0, sample: 0 };
  #isClosed = false;

  constructor(options: SessionEarsOptions) {
    this.#options = options;
    this.#sampleRateHz = options.sampleRateHz;
  }

  /** Utterance that is being heard, by what was given out. */
  get utterance(): number | undefined {
    return this.#utterance;
  }

  add(listener: Listener): void {
    this.listeners.add(listener);
    if (this.#isPlaced) this.#letIn(listener);
  }

  /** The listener's socket takes more again. */
  drained(listener: Listener): void {
    if (!listener.catchUp(this.#given)) listener.refuse(slow());
  }

  /** Cuts off those who do not take what they are given. @returns their number */
  cutSlow(): number {
    let cut = 0;
    for (const listener of this.listeners) {
      if (listener.bufferedBytes <= LISTENER_MAX_BUFFERED_BYTES) continue;
      listener.refuse(slow());
      cut++;
    }
    return cut;
  }

  /** Reads until it is closed or the session is over. Never rejects. */
  async run(): Promise<void> {
    const { reader, logger, onOver } = this.#options;
    while (!this.#isClosed) {
      try {
        const room = this.#aheadBytes < MAX_AHEAD_BYTES ? ENTRIES_PER_READ : 0;
        const news = await reader.read(room);
        if (this.#isClosed) break;
        this.#take(news);
        if (news.entries.length === ENTRIES_PER_READ) continue;
        this.#setPlace();
        if (news.state === "gone") {
          onOver();
          break;
        }
        await reader.wait(LOOK_AGAIN_MS);
      } catch (err) {
        logger.debug({ err }, "a broadcast could not be read");
        await sleep(RETRY_AFTER_MS);
      }
    }
  }

  /** May be called twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#options.reader.close();
  }

  #take({ entries, cancelled, nowMs, sampleRateHz }: HeardNews): void {
    this.#sampleRateHz = sampleRateHz ?? this.#sampleRateHz;
    this.#clock ??= new PlayClock(this.#sampleRateHz);
    this.#offsetMs ??= nowMs - performance.now();
    for (const entry of entries) {
      const atMs = this.#clock.dueMs(entry) - this.#offsetMs;
      this.#ahead.push({ entry, atMs });
      this.#aheadBytes += entry.body.byteLength;
    }
    // What was cancelled is not heard any more; how it ended is told in its place.
    const isWanted = ({ entry }: Due) => entry.kind !== "frame" || !cancelled.has(entry.utterance);
    if (cancelled.size > 0) this.#ahead = this.#ahead.filter(isWanted);
    this.#give();
  }

  /** From now on listeners have a place to begin at. */
  #setPlace(): void {
    if (this.#isPlaced) return;
    this.#isPlaced = true;
    for (const listener of this.listeners) this.#letIn(listener);
  }

  #letIn(listener: Listener): void {
    if (!listener.letIn(this.#given, this.#utterance, this.#sampleRateHz)) {
      const message = "The position is no longer held here: listen from=live or from=start.";
      listener.refuse(new GatewayError("session.position_gone", message));
    } else this.drained(listener);
  }

  /** Gives out all that is due, and comes back for the next. */
  #give(): void {
    clearTimeout(this.#timer);
    let count = 0;
    const nowMs = performance.now();
    for (const { entry, atMs } of this.#ahead) {
      if (atMs > nowMs + DUE_WITHIN_MS) break;
      this.#out(entry, Math.max(0, nowMs - atMs));
      count++;
    }
    const given = this.#ahead.splice(0, count);
    this.#aheadBytes = this.#ahead.reduce((sum, { entry }) => sum + entry.body.byteLength, 0);
    if (given.length > 0) this.#catchUpAll();
    const next = this.#ahead[0];
    if (next === undefined || this.#isClosed) return;
    this.#timer = setTimeout(() => this.#give(), Math.max(0, next.atMs - nowMs));
  }

  #out(entry: HeardEntry, lateMs: number): void {
    const { observer, publish, onOver } = this.#options;
    this.#tellMissed(entry);
    this.#given.push(entry);
    this.#utterance = isEnd(entry) ? undefined : entry.utterance;
    if (this.listeners.size > 0 && this.#isPlaced) {
      publish(entry.body, entry.kind === "frame");
      if (entry.kind === "frame") observer.framePublished(lateMs);
    }
    if (entry.kind === "over") onOver();
  }

  /** The writer could not store them, or they were trimmed before they were read here. */
  #tellMissed({ kind, utterance, firstSample, samples }: HeardEntry): void {
    if (kind !== "frame") return;
    const { observer, publish } = this.#options;
    const before = this.#place;
    const expected = before.utterance === utterance ? before.sample : 0;
    this.#place = { utterance, sample: firstSample + samples };
    // What came before the oldest entry held was never promised.
    if (before.utterance === 0 || firstSample <= expected) return;
    const missed = firstSample - expected;
    observer.samplesMissed(missed);
    publish(Buffer.from(encodeListenMessage({ type: "frames_dropped", utterance, samples: missed })), false);
  }

  #catchUpAll(): void {
    for (const listener of this.listeners) {
      if (!listener.isFollowing && this.#isPlaced) this.drained(listener);
    }
  }
}

const isEnd = ({ kind }: HeardEntry): boolean => kind === "ended" || kind === "cancelled" || kind === "over";

const slow = (): GatewayError =>
  new GatewayError("capacity.slow_client", "The listener took its audio too slowly: connect again.", {
    facts: { limit: LISTENER_MAX_BUFFERED_BYTES },
  });
