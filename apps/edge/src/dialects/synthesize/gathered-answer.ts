import type { HttpExchange } from "../../http/exchange.ts";

/** PCM of one write; a multiple of the three bytes that base64 makes four characters of. */
const WRITE_BYTES = 48 * 1_024;
/** Writes in one turn of the event loop, where the socket takes them all at once. */
const PIECES_PER_TURN = 16;
const NOTHING: Uint8Array = new Uint8Array(0);

/** What surrounds the audio, and how the audio itself is written. */
export interface AnswerEnvelope {
  readonly before: string | Uint8Array;
  readonly encode: (pcm: Buffer) => string | Uint8Array;
  /** Empty where nothing follows. */
  readonly after: string;
}

export interface GatheredAnswerOptions {
  readonly exchange: HttpExchange;
  readonly headers: Readonly<Record<string, string>>;
  /** Belongs to the answer from now on. */
  readonly pcm: Uint8Array[];
  readonly envelope: AnswerEnvelope;
  /** Called with a number of bytes of PCM that are needed no more. */
  readonly onTaken: (bytes: number) => void;
  /** All of it has been taken by the client's socket. */
  readonly onDone: () => void;
}

/**
 * Writes speech that has been gathered piece by piece, the next when the client's socket has taken the one before: no
 * answer is ever in memory as one string, and what a client has taken is free at once. A client that takes nothing for
 * 10 s is cut by uWebSockets.js.
 */
export class GatheredAnswer {
  readonly #options: GatheredAnswerOptions;
  readonly #pcm: Uint8Array[];
  /** Place of the next byte: the part, and the offset in it. */
  #part = 0;
  #at = 0;
  /** PCM of the piece that was written last. */
  #inFlightBytes = 0;
  #progress: "new" | "begun" | "written" = "new";

  constructor(options: GatheredAnswerOptions) {
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
        const next = this.#nextPiece();
        if (next.length > 0 && !response.write(next)) return;
      }
      exchange.markAnswered();
      response.end();
    });
    if (!exchange.isOpen) onDone();
  }

  #nextPiece(): string | Uint8Array {
    const { exchange, headers, envelope, onTaken } = this.#options;
    const isFirst = this.#progress === "new";
    if (isFirst) {
      exchange.writeHead(200, headers);
      this.#progress = "begun";
    }
    onTaken(this.#inFlightBytes);
    const pcm = this.#nextPcm();
    this.#inFlightBytes = pcm.byteLength;
    if (pcm.byteLength === 0) this.#progress = "written";
    const piece = pcm.byteLength > 0 ? envelope.encode(pcm) : envelope.after;
    return isFirst ? Buffer.concat([toBytes(envelope.before), toBytes(piece)]) : piece;
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

const toBytes = (part: string | Uint8Array): Uint8Array =>
  typeof part === "string" ? Buffer.from(part) : part;
