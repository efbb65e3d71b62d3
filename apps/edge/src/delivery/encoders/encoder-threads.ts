import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { BudgetObserver } from "../../budget/budget-observer.ts";
import type { OutputFormat } from "./output-format.ts";
import type { ThreadReply, ThreadRequest } from "./thread-messages.ts";

/** Encoders open at once; one holds up to a megabyte. Beyond it: `capacity.overloaded`. */
const MAX_ENCODERS = 512;
const MAX_THREADS = 4;
const RETRY_AFTER_MS = 1_000;

export interface EncoderCalls {
  /** The answer to one `encode` or `finish`, in order. */
  readonly onEncoded: (pieces: readonly Uint8Array<ArrayBuffer>[]) => void;
  /** The last call; nothing more comes of it. */
  readonly onFailed: (error: GatewayError) => void;
}

/** Encodes one utterance. Its owner closes it. */
export interface Encoder {
  /** `pcm`: whole samples; they stay the caller's. */
  encode(pcm: Uint8Array): void;
  finish(): void;
  /** Calls back no more. May be called twice. */
  close(): void;
}

/** What dialects open encoders with. */
export interface Encoders {
  /** @throws GatewayError `capacity.overloaded` */
  open(format: OutputFormat, fromHz: number, calls: EncoderCalls): Encoder;
}

interface EncoderThread {
  readonly worker: Worker;
  readonly encoders: Map<number, EncoderCalls>;
}

/**
 * The threads in which speech is encoded: a second of it takes 1 to 20 ms, which would keep every other client of the
 * event loop waiting. They start when they are first needed; an encoder stays in the one that has fewest. A thread that
 * dies fails the utterances it encoded, and the next encoder starts another.
 */
export class EncoderThreads implements Encoders {
  readonly #observer: BudgetObserver;
  readonly #maxEncoders: number;
  readonly #maxThreads: number;
  readonly #threads: EncoderThread[] = [];
  #nextId = 0;
  #closed = false;

  constructor(observer: BudgetObserver, maxEncoders = MAX_ENCODERS) {
    this.#observer = observer;
    this.#maxEncoders = maxEncoders;
    this.#maxThreads = Math.max(1, Math.min(MAX_THREADS, availableParallelism() - 1));
  }

  /** Encoders open now. */
  get count(): number {
    return this.#threads.reduce((sum, { encoders }) => sum + encoders.size, 0);
  }

  open(format: OutputFormat, fromHz: number, calls: EncoderCalls): Encoder {
    if (this.#closed || this.count >= this.#maxEncoders) {
      this.#observer.budgetReached("encoders", "refused");
      throw new GatewayError("capacity.overloaded", "As much speech is being encoded as may be; try again.", {
        facts: { budget: "encoders", limit: this.#maxEncoders },
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    const thread = this.#thread();
    const id = this.#nextId++;
    thread.encoders.set(id, calls);
    thread.worker.ref();
    const ask = (request: ThreadRequest, transfer: ArrayBuffer[] = []) => {
      if (thread.encoders.get(id) === calls) thread.worker.postMessage(request, transfer);
    };
    ask({ kind: "open", id, format, fromHz });
    return {
      encode: (given) => {
        const pcm = new Uint8Array(given);
        ask({ kind: "encode", id, pcm }, [pcm.buffer]);
      },
      finish: () => ask({ kind: "finish", id }),
      close: () => {
        ask({ kind: "close", id });
        forget(thread, id);
      },
    };
  }

  /** What is still being encoded fails. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(
      this.#threads.splice(0).map(({ worker, encoders }) => {
        fail(encoders, new GatewayError("draining"));
        return worker.terminate();
      }),
    );
  }

  #thread(): EncoderThread {
    const least = this.#threads.toSorted((a, b) => a.encoders.size - b.encoders.size)[0];
    const isIdle = least?.encoders.size === 0;
    return least !== undefined && (isIdle || this.#threads.length >= this.#maxThreads)
      ? least
      : this.#start();
  }

  #start(): EncoderThread {
    const worker = new Worker(new URL("./encoder-thread.ts", import.meta.url), { execArgv: [] });
    const thread: EncoderThread = { worker, encoders: new Map() };
    worker.on("message", (reply: ThreadReply) => {
      const calls = thread.encoders.get(reply.id);
      if (calls === undefined) return;
      if ("pieces" in reply) calls.onEncoded(reply.pieces);
      else {
        forget(thread, reply.id);
        calls.onFailed(new GatewayError("internal", undefined, { cause: new Error(reply.failure) }));
      }
    });
    const onDeath = (cause: unknown) => {
      const at = this.#threads.indexOf(thread);
      if (at < 0) return;
      this.#threads.splice(at, 1);
      fail(thread.encoders, new GatewayError("internal", undefined, { cause }));
    };
    worker.on("error", onDeath);
    worker.on("exit", (code) => onDeath(new Error(`an encoder thread ended with code ${code}`)));
    this.#threads.push(thread);
    return thread;
  }
}

function forget({ encoders, worker }: EncoderThread, id: number): void {
  encoders.delete(id);
  if (encoders.size === 0) worker.unref();
}

function fail(encoders: Map<number, EncoderCalls>, error: GatewayError): void {
  const all = [...encoders.values()];
  encoders.clear();
  for (const { onFailed } of all) onFailed(error);
}
