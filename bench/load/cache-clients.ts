import { monitorEventLoopDelay, performance as nodePerformance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, Worker, workerData } from "node:worker_threads";
import { round } from "../measure/summary.ts";
import { SessionSpeaker } from "./session-speaker.ts";
import { type SampleCheck, within } from "./speech.ts";

/**
 * The clients that ask for what is cached, in a thread of their own: nothing else runs on the event loop whose
 * clock is read. They do as little as can be done with an answer: its samples are compared with those of the first
 * speaking as they come, since hashing them would hold up whatever comes next.
 */
export interface Asking {
  /** By turns. */
  readonly edgeUrls: readonly string[];
  readonly voice: string;
  /** Requests a second, evenly spread. */
  readonly rate: number;
  readonly seconds: number;
  /** Requests in turn, with the samples that are due. */
  readonly phrases: readonly Phrase[];
}

export interface Phrase {
  readonly text: string;
  readonly pcm: Uint8Array;
}

/** What does not count as measured is named for what it was. */
export interface Answers {
  readonly firstFramesMs: readonly number[];
  /** The probe sent after each answer: the time this machine, under this load, takes to answer anything. */
  readonly pongsMs: readonly number[];
  readonly failed: number;
  readonly otherBytes: number;
  /** Spoken anew. */
  readonly notCached: number;
  /** How much the clients themselves had to do, and how late they came to do it: part of what they measured. */
  readonly clients: { readonly busyPercent: number; readonly lagP99Ms: number };
}

/** Sockets that ask in turn, so that no answer waits for another on its socket. */
const CLIENTS = 32;
const PHRASE_LIMIT_MS = 10_000;
/** Answers of the first second warm up what is compiled late. */
export const WARM_UP_MS = 1_000;

/** @throws Error when the thread failed */
export function askInThread(asking: Asking): Promise<Answers> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL(import.meta.url), { workerData: asking });
    thread.once("message", resolve);
    thread.once("error", reject);
    thread.once("exit", () => reject(new Error("the clients' thread ended without a result")));
  });
}

/** Whether the samples are those that are due. */
class Comparison implements SampleCheck {
  readonly #due: Uint8Array;
  #at = 0;
  #isEqual = true;

  constructor(due: Uint8Array) {
    this.#due = due;
  }

  take(pcm: Uint8Array): void {
    const due = this.#due.subarray(this.#at, this.#at + pcm.byteLength);
    this.#isEqual &&= Buffer.compare(due, pcm) === 0;
    this.#at += pcm.byteLength;
  }

  digest(): string {
    return this.#isEqual && this.#at === this.#due.byteLength ? "as due" : "other";
  }
}

async function ask({ edgeUrls, voice, rate, seconds, phrases }: Asking): Promise<Answers> {
  const speakers = await Promise.all(
    Array.from({ length: CLIENTS }, (_, index) => SessionSpeaker.open(byTurns(edgeUrls, index), { voice })),
  );
  const beginsAtMs = performance.now();
  const measuredFromMs = beginsAtMs + WARM_UP_MS;
  const endsAtMs = measuredFromMs + seconds * 1_000;
  const periodMs = (CLIENTS * 1_000) / rate;
  const firstFramesMs: number[] = [];
  const pongsMs: number[] = [];
  let [failed, otherBytes, notCached] = [0, 0, 0];
  const client = async (speaker: SessionSpeaker, index: number) => {
    for (let turn = 0; ; turn++) {
      const startsAtMs = beginsAtMs + periodMs * (turn + index / CLIENTS);
      if (startsAtMs >= endsAtMs) break;
      await sleep(Math.max(0, startsAtMs - performance.now()));
      const { text, pcm } = phrases[(index + turn) % phrases.length] ?? NO_PHRASE;
      const spoken = within(PHRASE_LIMIT_MS, "a hit", speaker.speak(text, new Comparison(pcm)));
      const heard = await spoken.catch(() => undefined);
      if (heard === undefined) failed += 1;
      else if (heard.digest !== "as due") otherBytes += 1;
      else if (speaker.cache !== "hit") notCached += 1;
      else if (startsAtMs >= measuredFromMs) firstFramesMs.push(heard.firstAudioMs);
      pongsMs.push(await speaker.ping());
    }
  };
  const lag = monitorEventLoopDelay({ resolution: 1 });
  lag.enable();
  const before = nodePerformance.eventLoopUtilization();
  await Promise.all(speakers.map(client));
  const { utilization } = nodePerformance.eventLoopUtilization(before);
  for (const speaker of speakers) speaker.close();
  // In nanoseconds, and its own resolution of a millisecond is in each of them.
  const lagP99Ms = round(Math.max(0, lag.percentile(99) / 1e6 - 1));
  return {
    firstFramesMs,
    pongsMs,
    failed,
    otherBytes,
    notCached,
    clients: { busyPercent: Math.round(utilization * 100), lagP99Ms },
  };
}

/** @throws RangeError where there is none */
export function byTurns(edgeUrls: readonly string[], index: number): string {
  const url = edgeUrls[index % edgeUrls.length];
  if (url === undefined) throw new RangeError("no edge to ask");
  return url;
}

const NO_PHRASE: Phrase = { text: "", pcm: new Uint8Array(0) };

// This file is also the thread.
if (workerData?.phrases !== undefined) parentPort?.postMessage(await ask(workerData as Asking));
