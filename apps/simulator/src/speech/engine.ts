import { Worker } from "node:worker_threads";
import { BoundedMemo } from "./bounded-memo.ts";
import type { ThreadReply, ThreadRequest } from "./engine-thread.ts";
import type { SpokenUnit, UnitRequest } from "./unit.ts";

/** Units waiting for the thread; beyond it a request fails with `EngineOverloaded`. */
const MAX_PENDING_UNITS = 10_000;
/** PCM remembered, in bytes: about 20 minutes of speech at 24 kHz. */
const MEMO_BYTES = 64 * 1024 * 1024;

export class EngineOverloaded extends Error {
  override readonly name = "EngineOverloaded";
}

interface Pending {
  readonly resolve: (unit: SpokenUnit) => void;
  readonly reject: (error: Error) => void;
}

export interface EngineFigures {
  readonly rendered: number;
  readonly remembered: number;
  readonly memoBytes: number;
}

/**
 * Speaks units in a thread of its own, and remembers them. Requests for the same unit share one rendering.
 * The thread starts with the first request; it holds the process open only while something is asked of it.
 * A thread that dies fails what was asked of it, and the next request starts another.
 */
export class SpeechEngine {
  readonly #memo = new BoundedMemo<SpokenUnit>(MEMO_BYTES);
  readonly #sharing = new Map<string, Promise<SpokenUnit>>();
  readonly #pending = new Map<number, Pending>();
  #thread: Worker | undefined;
  #closed = false;
  #nextId = 0;
  #rendered = 0;
  #remembered = 0;

  figures(): EngineFigures {
    return { rendered: this.#rendered, remembered: this.#remembered, memoBytes: this.#memo.bytes };
  }

  /** Loads the engine and every language of `espeakVoices`, so that the first who asks does not pay for it. */
  async warm(espeakVoices: readonly string[]): Promise<void> {
    const words = espeakVoices.map((espeakVoice) =>
      this.speak({
        text: "A.",
        parameters: { espeakVoice, rate: 200, pitch: 50, range: 50, volume: 50 },
        sampleRateHz: 24_000,
      }),
    );
    await Promise.all(words);
  }

  speak(request: UnitRequest): Promise<SpokenUnit> {
    const key = unitKey(request);
    const known = this.#memo.get(key);
    if (known !== undefined) {
      this.#remembered++;
      return Promise.resolve(known);
    }
    const underWay = this.#sharing.get(key);
    if (underWay !== undefined) {
      this.#remembered++;
      return underWay;
    }
    const rendering = this.#render(request)
      .then((unit) => {
        this.#memo.set(key, unit, unit.samples.byteLength + unit.starts.length * 8);
        return unit;
      })
      .finally(() => this.#sharing.delete(key));
    this.#sharing.set(key, rendering);
    return rendering;
  }

  /** What is still asked for fails. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    const thread = this.#thread;
    this.#thread = undefined;
    this.#failAll(new Error("the speech engine is closed"));
    await thread?.terminate();
  }

  #render(request: UnitRequest): Promise<SpokenUnit> {
    if (this.#closed) return Promise.reject(new Error("the speech engine is closed"));
    if (this.#pending.size >= MAX_PENDING_UNITS) {
      return Promise.reject(new EngineOverloaded(`${this.#pending.size} units wait to be spoken`));
    }
    this.#thread ??= this.#start();
    const thread = this.#thread;
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      thread.ref();
      thread.postMessage({ id, ...request } satisfies ThreadRequest);
    });
  }

  #start(): Worker {
    const thread = new Worker(new URL("./engine-thread.ts", import.meta.url), { execArgv: [] });
    thread.on("message", (reply: ThreadReply) => {
      const pending = this.#pending.get(reply.id);
      if (pending === undefined) return;
      this.#pending.delete(reply.id);
      if (this.#pending.size === 0) thread.unref();
      if ("failure" in reply) pending.reject(new Error(reply.failure));
      else {
        this.#rendered++;
        pending.resolve(reply);
      }
    });
    const onDeath = (error: Error) => {
      if (this.#thread !== thread) return;
      this.#thread = undefined;
      this.#failAll(error);
    };
    thread.on("error", onDeath);
    thread.on("exit", (code) => onDeath(new Error(`the speech thread ended with code ${code}`)));
    return thread;
  }

  #failAll(error: Error): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(error);
  }
}

function unitKey({ text, sampleRateHz, parameters }: UnitRequest): string {
  const { espeakVoice, rate, pitch, range, volume } = parameters;
  return `${espeakVoice}|${rate}|${pitch}|${range}|${volume}|${sampleRateHz}|${text}`;
}
