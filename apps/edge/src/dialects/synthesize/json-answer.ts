import type { HttpExchange } from "../../http/exchange.ts";

/** PCM of one write; a multiple of the three bytes that base64 makes four characters of. */
const WRITE_BYTES = 48 * 1_024;
/** Writes in one turn of the event loop, where the socket takes them all at once. */
const PIECES_PER_TURN = 16;
const NOTHING: Uint8Array = new Uint8Array(0);

export interface JsonAnswerOptions {
  readonly exchange: HttpExchange;
  readonly headers: Readonly<Record<string, string>>;
  /** Belongs to the answer from now on. */
  readonly pcm: Uint8Array[];
  /** What follows the audio. */
  readonly rest: object;
  /** So many bytes of PCM are needed no more. */
  readonly onTaken: (bytes: number) => void;
  /** All of it has been taken by the client's socket. */
  readonly onDone: () => void;
}

/**
 * Writes `{"audio":"<base64>", …rest}` piece by piece, the next when the client's socket has taken the one before: no
 * answer is ever in memory as one string, and what a client has taken is free at once. A client that takes nothing for
 * 10 s is cut by uWebSockets.js.
 */
export class JsonAnswer {
  readonly #options: JsonAnswerOptions;
  readonly #pcm: Uint8Array[];
  /** Where the next byte is: the part, and the place in it. */
  #part = 0;
  #at = 0;
  /** PCM of the piece that was written last. */
  #inFlightBytes = 0;
  #progress: "new" | "begun" | "written" = "new";

  constructor(options: JsonAnswerOptions) {
    this.#options = options;
    this.#pcm = options.pcm;
  }

  /** Call once. */
  write(): void {
    const { response } = this.#options.exchange;
    response.onWritable(() => {
      // A handler of `onWritable` must write what uWS holds by itself; an empty cork does.
      response.cork(() => {});
      this.#writeOn();
      return true;
    });
    this.#writeOn();
  }

  #writeOn(): void {
    const { exchange, onDone } = this.#options;
    const { response } = exchange;
    if (!exchange.isOpen) return;
    response.cork(() => {
      for (let piece = 0; this.#progress !== "written"; piece++) {
        if (piece === PIECES_PER_TURN) return void setImmediate(() => this.#writeOn());
        if (!response.write(this.#nextPiece())) return;
      }
      exchange.markAnswered();
      response.end();
    });
    if (!exchange.isOpen) onDone();
  }

  #nextPiece(): string {
    const { exchange, headers, rest, onTaken } = this.#options;
    let begin = "";
    if (this.#progress === "new") {
      exchange.writeHead(200, { "content-type": "application/json", ...headers });
      begin = '{"audio":"';
      this.#progress = "begun";
    }
    onTaken(this.#inFlightBytes);
    const pcm = this.#nextPcm();
    this.#inFlightBytes = pcm.byteLength;
    if (pcm.byteLength > 0) return begin + pcm.toString("base64");
    this.#progress = "written";
    return `${begin}",${JSON.stringify(rest).slice(1)}`;
  }

  /** The next bytes, in whole groups unless they are the last; none at the end. */
  #nextPcm(): Buffer {
    const piece = Buffer.allocUnsafe(WRITE_BYTES);
    let length = 0;
    for (
      let part = this.#pcm[this.#part];
      part !== undefined && length < WRITE_BYTES;
      part = this.#pcm[this.#part]
    ) {
      const bytes = part.subarray(this.#at, this.#at + WRITE_BYTES - length);
      piece.set(bytes, length);
      length += bytes.byteLength;
      this.#at += bytes.byteLength;
      if (this.#at < part.byteLength) break;
      this.#pcm[this.#part] = NOTHING;
      this.#part++;
      this.#at = 0;
    }
    return piece.subarray(0, length);
  }
}
