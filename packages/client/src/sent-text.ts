import { MAX_UTTERANCE_CHARACTERS } from "@tts-labs/protocol/limits";
import type { ClientMessage, ClientMessageOf } from "@tts-labs/protocol/wire-types";
import { cutPieces } from "./text-pieces.ts";

export type WireOptions = Omit<ClientMessageOf<"text">, "type" | "text" | "end">;

/**
 * What has been sent of an utterance's text. It is kept until the utterance ends, at most
 * `MAX_UTTERANCE_CHARACTERS`, since a resumed session says only then how much of it is held. While the connection is
 * away, text goes on being gathered here.
 */
export class SentText {
  #options: WireOptions = {};
  #text = "";
  #flushedAt = 0;
  /** This is kept apart: cutting it off the whole text for each piece would be quadratic. */
  #untold = "";
  #complete = false;

  get options(): WireOptions {
    return this.#options;
  }
  /** All so far. */
  get text(): string {
    return this.#text;
  }

  open(options: WireOptions): void {
    this.#options = options;
  }

  /** False, and nothing taken, when the utterance would be longer than one may be. */
  append(piece: string): boolean {
    if (this.#text.length + piece.length > MAX_UTTERANCE_CHARACTERS) return false;
    this.#text += piece;
    this.#untold += piece;
    return true;
  }

  /** What was appended since the last call. */
  takeUntold(): string {
    const untold = this.#untold;
    this.#untold = "";
    return untold;
  }

  flush(): void {
    this.#flushedAt = this.#text.length;
  }

  end(): void {
    this.#complete = true;
  }

  /** All of it, as a server that has never heard of it must hear it. */
  messages(): ClientMessage[] {
    const [first, ...rest] = this.messagesAfter(0, false);
    return first?.type === "text" ? [{ ...first, ...this.#options }, ...rest] : [];
  }

  /** What a server lacks that holds the first `characters` and, where `complete`, the end. */
  messagesAfter(characters: number, complete: boolean): ClientMessage[] {
    if (complete) return [];
    const flushedAt = Math.max(characters, this.#flushedAt);
    const wantsFlush = this.#flushedAt > 0 && this.#flushedAt >= characters;
    const messages: ClientMessage[] = [
      ...textMessages(this.#text.slice(characters, flushedAt)),
      ...(wantsFlush ? [{ type: "flush" } as const] : []),
      ...textMessages(this.#text.slice(flushedAt)),
    ];
    if (!this.#complete) return messages;
    const last = messages.at(-1);
    if (last?.type !== "text") return [...messages, { type: "stream_end" }];
    return [...messages.slice(0, -1), { ...last, end: true }];
  }
}

const textMessages = (text: string): ClientMessage[] =>
  [...cutPieces(text)].map((piece) => ({ type: "text", text: piece }));
