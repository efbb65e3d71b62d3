import { GatewayError, toGatewayError } from "@tts-labs/core/errors";
import { parseTextEntry, type TextEntry } from "@tts-labs/core/session/entries";
import type { StreamReader } from "@tts-labs/core/stream/stream";
import type { Synthesis } from "./synthesizer.ts";
import { type FeedStep, joinSteps, TextCutter } from "./text-cutter.ts";

/** Entries taken from the text stream in one read. */
const READ_ENTRIES = 64;

/** Where text goes on to. */
export type TextSink = Pick<Synthesis, "speak" | "flush" | "end">;

export interface TextFeedOptions {
  /** On the utterance's text stream, from its start. Stays the caller's to close. */
  readonly reader: StreamReader;
  readonly autoMode: boolean;
  /** Longest wait for a text entry while the text is not complete. */
  readonly textTimeoutMs: number;
  /** Bound on what is kept to be said again on a fresh socket. */
  readonly maxCharacters: number;
  /** The text is complete, and the sink (if there is one) has it all. */
  readonly onComplete: () => void;
}

/**
 * Reads an utterance's text and passes it on, cut by `TextCutter`. It reads before there is a socket, and
 * keeps what it has read: a sink attached later, or a second one, gets everything from the start.
 *
 * Entries are not released while the utterance runs, so that whoever takes it over can read it from the
 * start as well; the text stream's bound is the edge's limit on an utterance's text.
 */
export class TextFeed {
  /** Resolves when it is known whether there is anything to say; rejects as `run` does. */
  readonly opening: Promise<"words" | "nothing">;
  readonly #options: TextFeedOptions;
  readonly #cutter: TextCutter;
  #knowOpening: (opening: "words" | "nothing") => void = () => {};
  #failOpening: (reason: unknown) => void = () => {};
  #steps: FeedStep[] | undefined = [];
  #sink: TextSink | undefined;
  #received = 0;
  #complete = false;
  #given = 0;

  constructor(options: TextFeedOptions) {
    this.#options = options;
    this.#cutter = new TextCutter(options.autoMode);
    this.opening = new Promise((resolve, reject) => {
      this.#knowOpening = resolve;
      this.#failOpening = reject;
    });
    this.opening.catch(() => {});
  }

  /** The client has said that its text is complete. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Characters given to the sink that is, or was last, attached. */
  get givenCharacters(): number {
    return this.#given;
  }

  /** Passes everything so far and all that follows to `sink`, until `detach`. */
  attach(sink: TextSink): void {
    this.#sink = sink;
    this.#given = 0;
    this.#give(this.#steps ?? []);
  }

  detach(): void {
    this.#sink = undefined;
  }

  /** Nothing will be said again from the start: what was kept for that is let go. */
  forget(): void {
    this.#steps = undefined;
  }

  /**
   * Reads until aborted: after the end of the text a cancel may still come.
   * @throws GatewayError `cancelled.*`, `session.text_timeout`, `capacity.text_too_long`, `stream.lost`,
   * `storage.*`, or the signal's reason
   */
  async run(signal: AbortSignal): Promise<void> {
    const deadline = new AbortController();
    const timer = setTimeout(
      () => deadline.abort(new GatewayError("session.text_timeout")),
      this.#options.textTimeoutMs,
    );
    const stop = AbortSignal.any([signal, deadline.signal]);
    try {
      let open = true;
      while (open) {
        open = await this.#readOnce(stop);
        if (this.#complete) clearTimeout(timer);
        else timer.refresh();
      }
    } catch (error) {
      this.#failOpening(error);
      throw toGatewayError(error);
    } finally {
      clearTimeout(timer);
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
    const steps = result.entries.flatMap((entry) => this.#cut(parseTextEntry(entry)));
    if (steps.length > 0) this.#pass(joinSteps(steps));
    return true;
  }

  #cut(entry: TextEntry): FeedStep[] {
    if (entry.kind === "cancel") throw new GatewayError("cancelled.by_client");
    if (this.#complete) return [];
    switch (entry.kind) {
      case "text":
        return this.#cutText(entry.text);
      case "flush":
        return this.#cutter.flush();
      case "end":
        this.#complete = true;
        return this.#cutter.end();
    }
  }

  #cutText(text: string): FeedStep[] {
    this.#received += text.length;
    if (this.#received > this.#options.maxCharacters) throw new GatewayError("capacity.text_too_long");
    if (text.trim() !== "") this.#knowOpening("words");
    return this.#cutter.push(text);
  }

  #pass(steps: readonly FeedStep[]): void {
    this.#steps?.push(...steps);
    this.#give(steps);
    if (!this.#complete) return;
    this.#knowOpening("nothing");
    this.#options.onComplete();
  }

  #give(steps: readonly FeedStep[]): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    for (const step of steps) {
      if (step.kind === "speak") {
        this.#given += step.text.length;
        sink.speak(step.text);
      } else sink[step.kind]();
    }
  }
}
