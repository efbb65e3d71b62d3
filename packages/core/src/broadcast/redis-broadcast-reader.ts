import type { Bell } from "../redis/bell.ts";
import type { RedisConnection } from "../redis/client.ts";
import { Script } from "../redis/script.ts";
import { settleWithin } from "../redis/settle-within.ts";
import { toStorageError } from "../redis/storage-error.ts";
import type { BroadcastObserver, BroadcastReader, Heard, HeardEntry, HeardNews } from "./broadcast.ts";
import type { BroadcastKeys } from "./broadcast-keys.ts";

const hear = new Script("broadcast-hear");

/** How long an edge that does not read stays written down. */
const EAR_MS = 30_000;

export interface ReaderOptions {
  readonly redis: RedisConnection;
  readonly bell: Bell;
  readonly keys: BroadcastKeys;
  readonly observer: BroadcastObserver;
}

/** Writes itself down, then looks, then sleeps: in this order no wake-up is lost. */
export class RedisBroadcastReader implements BroadcastReader {
  readonly #options: ReaderOptions;
  readonly #member: string;
  #lastId = "-";
  #isRung = false;
  #wake: (() => void) | undefined;
  #isClosed = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#member = options.bell.enlist({ ring: () => this.#ring() });
    options.observer.readers(1);
  }

  async read(maxEntries: number): Promise<HeardNews> {
    const { redis, keys } = this.#options;
    this.#isRung = false;
    try {
      const [state, nowMs = "0", cancelled = "", rate = "0"] = await hear.run(
        redis,
        [keys.about, keys.ears],
        [this.#member, EAR_MS],
      );
      const from = this.#lastId === "-" ? "-" : `(${this.#lastId}`;
      const found = await settleWithin(redis.xrangeBuffer(keys.log, from, "+", "COUNT", maxEntries));
      const entries = found.map(toEntry);
      this.#lastId = entries.at(-1)?.id ?? this.#lastId;
      return {
        entries,
        cancelled: new Set(cancelled.split(",").filter(Boolean).map(Number)),
        nowMs: Number(nowMs),
        ...(rate === "0" ? {} : { sampleRateHz: Number(rate) }),
        state: state === "live" || state === "over" ? state : "gone",
      };
    } catch (error) {
      throw toStorageError(error);
    }
  }

  wait(limitMs: number): Promise<void> {
    if (this.#isRung || this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake?.(), limitMs);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { redis, bell, keys, observer } = this.#options;
    bell.dismiss(this.#member);
    observer.readers(-1);
    this.#wake?.();
    // Where Redis is away the entry expires by itself.
    await hear.run(redis, [keys.about, keys.ears], [this.#member, 0]).catch(() => undefined);
  }

  #ring(): void {
    this.#isRung = true;
    this.#wake?.();
  }
}

/** Fields in the order in which the script writes them. */
function toEntry([id, fields]: [id: Buffer, fields: Buffer[]]): HeardEntry {
  const name = id.toString();
  const at = (index: number) => fields[index]?.toString() ?? "";
  return {
    id: name,
    storedAtMs: Number(name.slice(0, name.indexOf("-"))),
    kind: at(1) as Heard["kind"],
    utterance: Number(at(3)),
    firstSample: Number(at(5)),
    samples: Number(at(7)),
    body: fields[9] ?? Buffer.alloc(0),
  };
}
