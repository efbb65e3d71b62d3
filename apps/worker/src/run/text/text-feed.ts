import { LazyTimer, monotonicMs } from "@tts-labs/core/async/lazy-timer";
import { parseTextEntry, type TextEntry } from "@tts-labs/core/session/entries";
import type { StreamReader } from "@tts-labs/core/stream/stream";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import { lastSpeakableEnd } from "@tts-labs/protocol/text/characters";
import { ShortenedSpace } from "@tts-labs/protocol/text/shortened-space";
import type { Synthesis } from "../../synthesizer.ts";
import { type FeedStep, joinSteps, TextCutter } from "./text-cutter.ts";

/** Entries taken from the text stream in one read. */
const READ_ENTRIES = 64;

/** An utterance has text when its job is made. Where none is found in this time, the utterance has been removed. */
const FIRST_TEXT_LIMIT_MS = 5_000;

/** The destination of the text. */
export type TextSink = Pick<Synthesis, "speak" | "flush" | "end">;

export interface TextFeedOptions {
  /** On the utterance's text stream, from its start. Stays the caller's to close. */
  readonly reader: StreamReader;
  readonly autoMode: boolean;
  /** Whether the first words wait for the end of their sentence. */
  readonly natural: boolean;
  /** Longest wait for a text entry while the text is not complete. */
  readonly textTimeoutMs: number;
  /** Bound on the text, all of which is kept to be said again from any place. */
  readonly maxCharacters: number;
  /** The text is complete, and the sink (if there is one) has it all. */
  readonly onComplete: () => void;
}

/** A sink with what cuts its text. */
interface Attached {
  readonly sink: TextSink;
  readonly cutter: TextCutter;
  readonly space: ShortenedSpace;
}

/**
 * Reads an utterance's text and passes it on, cut by `TextCutter`, its runs of white space shortened. It reads before
 * there is a socket, and keeps what it has read: a sink attached later, or a further one, gets everything from the
 * place it names. One timer sees to what the cutter wants done when nothing more comes.
 *
 * Entries are not released while the utterance runs, so that a successor can read it from the
 * start as well; the text stream's bound is the edge's limit on an utterance's text.
 */
export class TextFeed {
  readonly #options: TextFeedOptions;
  #text = "";
  /** Places in the text where the client flushed; rising. */
  readonly #flushes: number[] = [];
  /** End of the last character that would be heard. */
  #speakableEnd = 0;
  /** Monotonic, of the first character that would be heard and of the last text; infinite before. */
  #firstWordAtMs = Number.POSITIVE_INFINITY;
  #textAtMs = 0;
  readonly #timer = new LazyTimer(() => this.#elapse());
  #attached: Attached | undefined;
  #complete = false;
  #failure: { readonly error: unknown } | undefined;
  /** End of what the sink that is, or was last, attached has been given, as a place in the text. */
  #givenUpTo = 0;
  #lastTextAtMs = performance.now();
  /** The waiter for something to say. */
  #wake: () => void = () => {};

  constructor(options: TextFeedOptions) {
    this.#options = options;
  }

  /** All that has come of it. */
  get text(): string {
    return this.#text;
  }

  /** The client has said that its text is complete. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Since the client last gave anything, as far as was read. */
  get idleMs(): number {
    return performance.now() - this.#lastTextAtMs;
  }

  /** Number of the last entry read. */
  get readSeq(): number {
    return this.#options.reader.position?.seq ?? 0;
  }

  hasWordsFrom(char: number): boolean {
    return this.#speakableEnd > char;
  }

  /** Characters of the text that have been given to be spoken. */
  get givenCharacters(): number {
    return this.#givenUpTo;
  }

  /**
   * Whether there is anything to be heard from `char` on, once that is known. One caller at a time. @throws as `run`
   * does
   */
  async opening(char: number): Promise<"words" | "nothing"> {
    for (;;) {
      if (this.hasWordsFrom(char)) return "words";
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#complete) return "nothing";
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Passes everything from `char` on and all that follows to `sink`, until `detach`. */
  attach(sink: TextSink, char: number): void {
    const { autoMode, natural } = this.#options;
    // What goes on after something was heard is in no hurry: its text is there already.
    const isFirst = char === 0 && !natural;
    const cutter = new TextCutter({ autoMode, natural: !isFirst, firstWordAtMs: this.#firstWordAtMs });
    this.#attached = { sink, cutter, space: new ShortenedSpace() };
    this.#givenUpTo = char;
    const textAtMs = this.#textAtMs;
    const steps: FeedStep[] = [];
    let from = char;
    for (const flush of this.#flushes) {
      if (flush <= from) continue;
      steps.push(...cutter.push(this.#text.slice(from, flush), textAtMs), ...cutter.flush());
      from = flush;
    }
    steps.push(...cutter.push(this.#text.slice(from), textAtMs));
    if (this.#complete) steps.push(...cutter.end());
    this.#give(steps);
  }

  detach(): void {
    this.#attached = undefined;
    this.#timer.cancel();
  }

  /**
   * Reads until aborted: after the end of the text a cancel may still come.
   * @throws GatewayError `cancelled.*`, `session.text_timeout`, `capacity.text_too_long`, `stream.lost`,
   * `storage.*`, or the signal's reason
   */
  async run(signal: AbortSignal): Promise<void> {
    const deadline = new AbortController();
    const { textTimeoutMs } = this.#options;
    const timer = setTimeout(() => deadline.abort(new GatewayError("session.text_timeout")), textTimeoutMs);
    const never = new GatewayError("stream.lost", "The utterance has no text.");
    const first = setTimeout(() => deadline.abort(never), Math.min(textTimeoutMs, FIRST_TEXT_LIMIT_MS));
    const stop = AbortSignal.any([signal, deadline.signal]);
    try {
      let open = await this.#readOnce(stop);
      clearTimeout(first);
      while (open) {
        if (this.#complete) clearTimeout(timer);
        else timer.refresh();
        open = await this.#readOnce(stop);
      }
    } catch (error) {
      this.#failure = { error };
      this.#wake();
      throw toGatewayError(error);
    } finally {
      clearTimeout(timer);
      clearTimeout(first);
      this.#timer.cancel();
    }
  }

  /** @returns whether more may come */
  async #readOnce(signal: AbortSignal): Promise<boolean> {
    const result = await this.#options.reader.read(READ_ENTRIES, signal);
    if (result.kind === "lost") {
      throw new GatewayError("stream.lost", undefined, { facts: { reason: result.reason } });
    }
    if (result.kind === "ended") {
      if (!this.#complete) throw new GatewayError("cancelled.client_gone");
      return false;
    }
    this.#lastTextAtMs = performance.now();
    const wasComplete = this.#complete;
    this.#give(result.entries.flatMap((entry) => this.#take(parseTextEntry(entry))));
    this.#wake();
    if (this.#complete && !wasComplete) this.#options.onComplete();
    return true;
  }

  /** Keeps the entry. @returns what it means for the sink */
  #take(entry: TextEntry): FeedStep[] {
    if (entry.kind === "cancel") throw new GatewayError("cancelled.by_client");
    if (this.#complete) return [];
    const cutter = this.#attached?.cutter;
    switch (entry.kind) {
      case "text":
        this.#keep(entry.text);
        return cutter?.push(entry.text, this.#textAtMs) ?? [];
      case "flush":
        if (this.#flushes.at(-1) !== this.#text.length) this.#flushes.push(this.#text.length);
        return cutter?.flush() ?? [];
      case "end":
        this.#complete = true;
        return cutter?.end() ?? [];
    }
  }

  #keep(text: string): void {
    if (this.#text.length + text.length > this.#options.maxCharacters) {
      throw new GatewayError("capacity.text_too_long");
    }
    const end = lastSpeakableEnd(text);
    this.#textAtMs = monotonicMs();
    if (end > 0) {
      this.#speakableEnd = this.#text.length + end;
      this.#firstWordAtMs = Math.min(this.#firstWordAtMs, this.#textAtMs);
    }
    this.#text += text;
  }

  #give(steps: readonly FeedStep[]): void {
    if (this.#attached === undefined) return;
    const { sink, cutter, space } = this.#attached;
    for (const step of joinSteps(steps)) {
      if (step.kind === "speak") {
        this.#givenUpTo += step.text.length;
        sink.speak(space.shorten(step.text));
      } else sink[step.kind]();
    }
    if (Number.isFinite(cutter.dueAtMs)) this.#timer.wakeBy(cutter.dueAtMs);
  }

  /** Nothing more has come for as long as the cutter waits. */
  #elapse(): void {
    const cutter = this.#attached?.cutter;
    if (cutter !== undefined) this.#give(cutter.elapse(monotonicMs()));
  }
}
