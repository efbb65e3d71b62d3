import { setTimeout as sleep } from "node:timers/promises";
import { parseAudioFrame } from "@tts-labs/protocol/audio-frame";
import { WebSocket } from "ws";

/** What others noticed while something went on. */
export interface Witnessed {
  /** The longest that a frame of the listener in real time was late. */
  readonly lateMs: number;
  /** First audio of a new speaker every second. */
  readonly firstAudioMs: readonly number[];
  /** New speakers that got none, and what was said to them. */
  readonly refused: readonly string[];
  /** The longest that a probe waited for its answer. */
  readonly probeMs: number;
  /** How late this process itself was: all of the above may be by so much too long. */
  readonly ownLagMs: number;
}

export interface WitnessOptions {
  readonly url: string;
  readonly seconds: number;
  /** Limit of each wait. */
  readonly limitMs?: number;
}

const PROBE_EVERY_MS = 50;
const SPEAK_EVERY_MS = 1_000;
const SENTENCE = "A listener in real time hears this sentence and notices any pause. ";

/** Listens in real time, speaks anew every second and probes, all at once, for so many seconds. */
export async function witness({ url, seconds, limitMs = 15_000 }: WitnessOptions): Promise<Witnessed> {
  const listener = await PacedListener.open(url, seconds, limitMs);
  const untilMs = performance.now() + seconds * 1_000;
  const lag = watchLag();
  const spoken: Promise<number | string>[] = [];
  const speaking = (async () => {
    while (performance.now() < untilMs) {
      spoken.push(firstAudio(url, limitMs).catch((error: Error) => error.message));
      await sleep(SPEAK_EVERY_MS);
    }
  })();
  const [probeMs] = await Promise.all([probe(url, untilMs, limitMs), speaking]);
  const lateMs = listener.lateMs();
  listener.close();
  const heard = await Promise.all(spoken);
  return {
    lateMs: Math.round(lateMs),
    firstAudioMs: heard.filter((it) => typeof it === "number"),
    refused: heard.filter((it) => typeof it === "string"),
    probeMs: Math.round(probeMs),
    ownLagMs: Math.round(lag()),
  };
}

/** @returns the worst delay so far; asking ends the watch */
function watchLag(): () => number {
  let worstMs = 0;
  let lastMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    worstMs = Math.max(worstMs, nowMs - lastMs - 5);
    lastMs = nowMs;
  }, 5);
  return () => {
    clearInterval(timer);
    return worstMs;
  };
}

async function probe(url: string, untilMs: number, limitMs: number): Promise<number> {
  let worstMs = 0;
  while (performance.now() < untilMs) {
    const askedAtMs = performance.now();
    await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(limitMs) })
      .then((it) => it.text())
      .catch(() => undefined);
    worstMs = Math.max(worstMs, performance.now() - askedAtMs);
    await sleep(PROBE_EVERY_MS);
  }
  return worstMs;
}

const address = (url: string, query = "") => `${url.replace(/^http/, "ws")}/api/v1/stream${query}`;

/** Hears speech as it would be played, and notes how much later than in time a frame comes. */
class PacedListener {
  readonly #socket: WebSocket;
  #lastMs: number | undefined;
  #frameMs = 0;
  #lateMs = 0;
  #closed: string | undefined;

  static async open(url: string, seconds: number, limitMs: number): Promise<PacedListener> {
    const socket = new WebSocket(address(url, "?delivery=paced&adaptive=false"), {
      perMessageDeflate: false,
    });
    const listener = new PacedListener(socket);
    const signal = AbortSignal.timeout(limitMs);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
      signal.addEventListener("abort", () => reject(new Error("the listener could not connect in time")));
    });
    // Four seconds each, and some more than is listened to.
    const text = SENTENCE.repeat(Math.ceil(seconds / 3) + 4);
    socket.send(JSON.stringify({ type: "text", text, end: true }));
    while (listener.#lastMs === undefined) {
      if (signal.aborted) throw new Error("the listener got no audio in time");
      await sleep(10);
    }
    return listener;
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("close", (code) => {
      this.#closed = `closed with ${code}`;
    });
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.#hear(data);
    });
  }

  /** @throws Error when its connection has gone */
  lateMs(): number {
    if (this.#closed !== undefined) throw new Error(`the listener was ${this.#closed}`);
    if (this.#lastMs !== undefined) this.#late(performance.now());
    return this.#lateMs;
  }

  close(): void {
    this.#socket.close(1000);
  }

  #hear(data: Buffer): void {
    const nowMs = performance.now();
    this.#late(nowMs);
    this.#lastMs = nowMs;
    this.#frameMs = parseAudioFrame(data).payload.byteLength / 48;
  }

  /** The next frame is due when the last one has been played. */
  #late(nowMs: number): void {
    if (this.#lastMs !== undefined)
      this.#lateMs = Math.max(this.#lateMs, nowMs - this.#lastMs - this.#frameMs);
  }
}

let speakers = 0;

/** @returns milliseconds from connecting to the first frame @throws Error saying what came instead */
async function firstAudio(url: string, limitMs: number): Promise<number> {
  const beganAtMs = performance.now();
  const socket = new WebSocket(address(url), { perMessageDeflate: false });
  try {
    return await new Promise<number>((resolve, reject) => {
      const text = `New speaker number ${speakers++}.`;
      socket.once("open", () => socket.send(JSON.stringify({ type: "text", text, end: true })));
      socket.on("message", (data: Buffer, isBinary: boolean) => {
        if (isBinary) resolve(performance.now() - beganAtMs);
        else {
          const message = JSON.parse(data.toString()) as { readonly type: string; readonly code?: string };
          if (message.type === "error") reject(new Error(message.code));
        }
      });
      socket.once("error", (error) => reject(error));
      socket.once("close", (code) => reject(new Error(`closed with ${code}`)));
      setTimeout(() => reject(new Error("no audio in time")), limitMs).unref();
    });
  } finally {
    socket.close(1000);
  }
}
