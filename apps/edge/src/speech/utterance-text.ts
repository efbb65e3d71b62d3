import { encodeTextEntry, type TextEntry } from "@tts-labs/core/session/entries";
import type { SessionHold } from "@tts-labs/core/session/session-store";
import type { EntryData, StreamStore, StreamWriter } from "@tts-labs/core/stream/stream";
import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import { MAX_UTTERANCE_CHARACTERS } from "@tts-labs/protocol/limits";
import type { SessionServices, SessionSettings } from "../services.ts";

/**
 * Large enough that the bound on an utterance's characters is always reached first, one entry per character included.
 */
export const MAX_TEXT_STREAM_BYTES: number = 2 * 1024 * 1024;
/** UTF-16 units of one entry: at most 3 bytes each, which stays under `MAX_ENTRY_BYTES`. */
const MAX_ENTRY_CHARACTERS = 4_096;
/** Texts and flushes that wait while an append is in flight; beyond it: `capacity.overloaded`. */
const MAX_PENDING_ENTRIES = 256;
/** A cancel that can't be stored in this time is given up: the worker will find that it has no reader. */
const CANCEL_LIMIT_MS = 5_000;

export interface UtteranceTextOptions {
  readonly streams: StreamStore;
  readonly utteranceId: string;
  readonly owner: string;
  readonly ttlMs: number;
  /** Epoch of the session's hold: once a later connection has the text, an earlier one can't claim it any more. */
  readonly rank?: number;
  /** A later append failed; the utterance can't be completed. */
  readonly onFailed: (error: GatewayError) => void;
  /** What an earlier connection of the session had stored. */
  readonly restored?: RestoredText;
}

/** An utterance's text as it was found in Redis, with the writer that may go on with it. */
export interface RestoredText extends StoredText {
  readonly writer: StreamWriter;
}

export interface StoredText {
  readonly text: string;
  /** Characters before each flush. */
  readonly flushes: readonly number[];
  readonly isComplete: boolean;
}

/**
 * The client's text on its way to the worker. One append is in flight at a time; what comes meanwhile waits
 * and goes as one, adjacent texts joined. Order is that of the client's messages.
 */
export class UtteranceText {
  readonly #options: UtteranceTextOptions;
  readonly #closed = new AbortController();
  #pending: TextEntry[] = [];
  /** All of it, for a cut at what was heard; at most `MAX_UTTERANCE_CHARACTERS`. */
  #given: string[] = [];
  #characters = 0;
  #state: "open" | "ended" | "cancelled" = "open";
  #writer: StreamWriter | undefined;
  #claiming: Promise<void> | undefined;
  #appending: Promise<void> | undefined;

  constructor(options: UtteranceTextOptions) {
    this.#options = options;
    const { restored } = options;
    if (restored === undefined) return;
    this.#writer = restored.writer;
    this.#claiming = Promise.resolve();
    this.#given = [restored.text];
    this.#characters = restored.text.length;
    if (restored.isComplete) this.#state = "ended";
  }

  /** As the client gave it. */
  get given(): string {
    return this.#given.join("");
  }

  /** All of it, where it is complete, nothing of it is stored, and no flush has cut it. */
  get whole(): string | undefined {
    const [first, second] = this.#pending;
    const isWhole = !this.isClaimed && first?.kind === "text" && second?.kind === "end";
    return isWhole && this.#state === "ended" ? first.text : undefined;
  }

  get characters(): number {
    return this.#characters;
  }

  /** It has a stream, or soon will. */
  get isClaimed(): boolean {
    return this.#claiming !== undefined;
  }

  /** Number of the last entry stored; 0 before the first. */
  get storedSeq(): number {
    return this.#writer?.lastSeq ?? 0;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /**
   * @throws GatewayError `capacity.text_too_long`: this text is refused, the utterance goes on; `capacity.overloaded`
   */
  speak(text: string): void {
    const left = MAX_UTTERANCE_CHARACTERS - this.#characters;
    if (text.length > left) {
      throw new GatewayError(
        "capacity.text_too_long",
        `The text is refused: an utterance has at most ${MAX_UTTERANCE_CHARACTERS} characters, ${left} are left.`,
        { facts: { limit: MAX_UTTERANCE_CHARACTERS, characters: this.#characters + text.length } },
      );
    }
    this.#push({ kind: "text", text });
    this.#characters += text.length;
    this.#given.push(text);
  }

  flush(): void {
    if (this.#pending.at(-1)?.kind !== "flush") this.#push({ kind: "flush" });
  }

  end(): void {
    this.#push({ kind: "end" });
    this.#state = "ended";
  }

  /** Makes the stream, with what has been given so far. @throws GatewayError `storage.*` */
  claim(): Promise<void> {
    this.#claiming ??= this.#claim();
    return this.#claiming;
  }

  /** Stores what has been given so far; what comes later follows by itself. @throws GatewayError `storage.*` */
  store(): Promise<void> {
    return this.#append();
  }

  /** Throws away what waits and tells the worker, if it can have heard of the utterance. Never throws. */
  async cancel(): Promise<void> {
    if (this.#state === "cancelled") return;
    this.#state = "cancelled";
    this.#pending = [];
    await this.#claiming?.catch(() => undefined);
    await this.#appending?.catch(() => undefined);
    const signal = AbortSignal.timeout(CANCEL_LIMIT_MS);
    await this.#writer?.append([encodeTextEntry({ kind: "cancel" })], signal).catch(() => undefined);
  }

  /** Stores what has been given, and leaves the stream to the connection that resumes the session. Never throws. */
  async leave(): Promise<void> {
    await this.#claiming?.catch(() => undefined);
    await this.#append().catch(() => undefined);
    this.close();
  }

  close(): void {
    this.#closed.abort(CLOSED);
    this.#writer?.close();
  }

  #push(entry: TextEntry): void {
    if (this.#pending.length >= MAX_PENDING_ENTRIES) {
      throw new GatewayError("capacity.overloaded", "The text comes faster than it can be stored.", {
        facts: { limit: MAX_PENDING_ENTRIES },
      });
    }
    const last = this.#pending.at(-1);
    if (entry.kind === "text" && last?.kind === "text") {
      this.#pending[this.#pending.length - 1] = { kind: "text", text: last.text + entry.text };
    } else this.#pending.push(entry);
    // Before the stream is claimed it waits for that; while an append is in flight, for its end.
    if (this.#writer !== undefined && this.#appending === undefined) {
      this.#append().catch((error: unknown) => this.#options.onFailed(toGatewayError(error)));
    }
  }

  async #claim(): Promise<void> {
    const { streams, utteranceId, owner, ttlMs, rank } = this.#options;
    const options = { owner, ttlMs, maxBytes: MAX_TEXT_STREAM_BYTES, first: this.#takePending() };
    const ranked = rank === undefined ? options : { ...options, rank };
    this.#writer = await streams.claim({ tag: utteranceId, name: "text" }, ranked);
  }

  #takePending(): EntryData[] {
    const entries = this.#pending.flatMap(toStoredEntries);
    this.#pending = [];
    return entries.map(encodeTextEntry);
  }

  #append(): Promise<void> {
    this.#appending ??= this.#appendPending().finally(() => {
      this.#appending = undefined;
    });
    return this.#appending;
  }

  async #appendPending(): Promise<void> {
    while (this.#pending.length > 0 && this.#writer !== undefined) {
      await this.#writer.append(this.#takePending(), this.#closed.signal);
    }
  }
}

/** Created once: each utterance ends with it, and a stack costs more than the rest of its end. */
const CLOSED = new GatewayError("cancelled.client_gone");

/** A long text as several entries, never cut inside a character. */
function toStoredEntries(entry: TextEntry): TextEntry[] {
  if (entry.kind !== "text" || entry.text.length <= MAX_ENTRY_CHARACTERS) return [entry];
  const entries: TextEntry[] = [];
  for (let at = 0; at < entry.text.length; ) {
    let end = Math.min(at + MAX_ENTRY_CHARACTERS, entry.text.length);
    const isInsidePair = end < entry.text.length && /[\uD800-\uDBFF]/.test(entry.text.charAt(end - 1));
    if (isInsidePair) end--;
    entries.push({ kind: "text", text: entry.text.slice(at, end) });
    at = end;
  }
  return entries;
}

export interface TextOptions extends Pick<UtteranceTextOptions, "utteranceId" | "onFailed"> {
  readonly services: Pick<SessionServices, "streams" | "nodeId">;
  readonly settings: Pick<SessionSettings, "streamTtlMs">;
  /** Present when the session outlives its connection. */
  readonly hold?: Pick<SessionHold, "epoch"> | undefined;
  readonly restored?: RestoredText | undefined;
}

/** An utterance's text in its stream, from its beginning or as an earlier connection has left it. */
export function openText({
  utteranceId,
  onFailed,
  services,
  settings,
  hold,
  restored,
}: TextOptions): UtteranceText {
  const { streams, nodeId: owner } = services;
  const { streamTtlMs: ttlMs } = settings;
  return new UtteranceText({
    streams,
    utteranceId,
    owner,
    ttlMs,
    onFailed,
    ...(hold === undefined ? {} : { rank: hold.epoch }),
    ...(restored === undefined ? {} : { restored }),
  });
}
