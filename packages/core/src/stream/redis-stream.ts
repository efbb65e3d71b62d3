import { randomBytes } from "node:crypto";
import { GatewayError } from "@tts-labs/protocol/errors";
import { newEpoch } from "../ids.ts";
import type { Logger } from "../logger.ts";
import { openBell } from "../redis/bell.ts";
import { isCluster, type RedisConnection } from "../redis/client.ts";
import { holdWrites } from "../redis/hold-writes.ts";
import type { Keys } from "../redis/keys.ts";
import { LinkWatch } from "../redis/link-watch.ts";
import { retryStorage } from "../redis/retry.ts";
import { TickBatch } from "../redis/tick-batch.ts";
import { toBuffer } from "./append-commands.ts";
import { encodeEpoch } from "./epoch.ts";
import { type StreamObserver, silentObserver } from "./observer.ts";
import { RedisReader } from "./redis-reader.ts";
import { parseEntries, parseTail, replyAt } from "./redis-replies.ts";
import { type OpenEnd, type RedisStreams, scripts } from "./redis-streams.ts";
import { RedisWriter } from "./redis-writer.ts";
import { DEFAULT_STREAM_SETTINGS, LEAVING_MS, type StreamSettings } from "./settings.ts";
import type {
  ClaimOptions,
  ReaderOptions,
  Removal,
  StreamEntry,
  StreamInfo,
  StreamRef,
  StreamStore,
} from "./stream.ts";
import { parsePlace, StreamKeys } from "./stream-keys.ts";

export interface RedisStreamOptions {
  /** Opened for `commands`: the store repeats by itself, in order. */
  readonly redis: RedisConnection;
  /** Opened for `subscriber`; may be shared with others. */
  readonly subscriber: RedisConnection;
  readonly keys: Keys;
  /** Names this process; unique among all that use this Redis. */
  readonly nodeId: string;
  readonly logger: Logger;
  readonly observer?: StreamObserver;
  readonly settings?: Partial<StreamSettings>;
  /**
   * How an append whose answer was lost is sent again. `next-numbers` is what a writer would do that does
   * not number its entries itself; it is here so that tests can show what it loses and repeats.
   */
  readonly resendAs?: "same-numbers" | "next-numbers";
  /**
   * `false` is a writer that believes every acknowledgement; it is here so that tests can show what a failover
   * or a restart then loses. Default true.
   */
  readonly mends?: boolean;
  /**
   * `false` is a reader that takes a stream which Redis has forgotten for one that is silent; it is here so that
   * tests can show who then waits in vain. Default true.
   */
  readonly noticesLoss?: boolean;
}

/** Rounds of a script that names keys by the fence it expects. */
const MAX_CONFLICTS = 16;
/** Most streams have one owner all their life. */
const USUAL_FENCE = 1;
/**
 * After a conflict a script is given the entries of this many fences more, so that others who claim at the same time
 * don't make it fail again. Not in its first round, which nearly always succeeds.
 */
const FENCES_AHEAD = 64;

/** Hears its bell from its return on. @throws GatewayError `storage.*` */
export async function openRedisStreams(options: RedisStreamOptions): Promise<StreamStore> {
  const settings = { ...DEFAULT_STREAM_SETTINGS, ...options.settings };
  const bell = await retryStorage(settings.storageRetryMs, undefined, () => openBell(options));
  const closing = new AbortController();
  return new RedisStreamStore(
    {
      redis: options.redis,
      batch: new TickBatch(options.redis),
      links: new LinkWatch(options.redis),
      bell,
      settings,
      observer: options.observer ?? silentObserver,
      logger: options.logger,
      closed: closing.signal,
      open: new Set<OpenEnd>(),
      resendAs: options.resendAs ?? "same-numbers",
      mends: options.mends ?? true,
      noticesLoss: options.noticesLoss ?? true,
    },
    options.keys,
    closing,
  );
}

class RedisStreamStore implements StreamStore {
  readonly #streams: RedisStreams;
  readonly #keys: Keys;
  readonly #closing: AbortController;
  readonly #heart: NodeJS.Timeout;

  constructor(streams: RedisStreams, keys: Keys, closing: AbortController) {
    this.#streams = streams;
    this.#keys = keys;
    this.#closing = closing;
    // Looked at more often than needed, so that the readers' heartbeats spread.
    this.#heart = setInterval(() => {
      for (const end of streams.open) end.beat();
    }, streams.settings.heartbeatMs / 10);
    this.#heart.unref();
  }

  async claim(stream: StreamRef, options: ClaimOptions): Promise<RedisWriter> {
    const writer = await this.#claim(stream, options, "");
    if (writer === undefined) throw new GatewayError("internal", "A claim was refused that can't be.");
    return writer;
  }

  claimUnlessEnded(stream: StreamRef, options: ClaimOptions): Promise<RedisWriter | undefined> {
    return this.#claim(stream, options, "unless-ended");
  }

  async #claim(
    stream: StreamRef,
    { first = [], ...options }: ClaimOptions,
    unlessEnded: "unless-ended" | "",
  ): Promise<RedisWriter | undefined> {
    this.#streams.closed.throwIfAborted();
    const keys = new StreamKeys(this.#keys, stream);
    const token = randomBytes(9).toString("base64url");
    const life = newEpoch();
    const { afterSeq = "", rank = "" } = options;
    const entries = first.flatMap(({ head, body }) => [head, toBuffer(body)]);
    const [status, fence, named, base = "0-1", trimmed, trimmedBytes, ...sleepers] = await this.#onFence(
      (expected, ahead) =>
        scripts.claim.run(
          this.#streams.redis,
          [...[keys.meta, keys.readers, keys.sleepers], ...keys.entriesFrom(expected, 2 + ahead)],
          [
            ...[expected, token, life, options.owner, options.maxBytes, options.ttlMs],
            ...[afterSeq, unlessEnded, rank, ...entries],
          ],
        ),
    );
    if (status === "ended") return undefined;
    if (status === "outranked") throw new GatewayError("lease.lost");
    if (sleepers.length > 0) this.#streams.bell.ring(sleepers);
    return new RedisWriter(this.#streams, keys, options, {
      life: named ?? life,
      fence: Number(fence),
      base: parsePlace(base),
      released: { seq: Number(trimmed), bytes: Number(trimmedBytes) },
      first,
      sleepers,
      other: async (ref) => {
        const info = await this.inspect(ref);
        return info && { keys: new StreamKeys(this.#keys, ref), fence: info.fence };
      },
    });
  }

  reader(stream: StreamRef, options: ReaderOptions): RedisReader {
    return new RedisReader(this.#streams, new StreamKeys(this.#keys, stream), options);
  }

  async inspect(stream: StreamRef): Promise<StreamInfo | undefined> {
    const { batch, settings, closed } = this.#streams;
    const keys = new StreamKeys(this.#keys, stream);
    return retryStorage(settings.storageRetryMs, closed, async () => {
      const fields = [
        "life",
        "fence",
        "owner",
        "trimmedBytes",
        "endSeq",
        "endResult",
        "base",
        "parked",
      ] as const;
      const meta = await batch.run(keys.slot, [{ name: "hmget", args: [keys.meta, ...fields] }]);
      const [life, fence, owner, trimmedBytes, endSeq, endResult, base, parked] = replyAt(meta, 0) as (
        | string
        | null
      )[];
      if (life == null || base == null) return undefined;
      const key = keys.entries(Number(fence));
      const info = await batch.run(keys.slot, [
        { name: "xinfo", args: ["STREAM", key] },
        { name: "get", args: [keys.owner] },
      ]);
      const tail = parseTail(info[0]) ?? parsePlace(base);
      return {
        epoch: encodeEpoch(life, Number(fence)),
        fence: Number(fence),
        owner: owner ?? "",
        lastSeq: tail.seq,
        storedBytes: tail.bytes - Number(trimmedBytes ?? 0),
        ownerAlive: replyAt(info, 1) === fence,
        end: endSeq == null ? undefined : { lastSeq: Number(endSeq), result: endResult ?? "" },
        ...(parked == null ? {} : { parkedAfter: Number(parked) }),
      };
    });
  }

  async last(stream: StreamRef): Promise<StreamEntry | undefined> {
    const { batch, settings, closed } = this.#streams;
    const keys = new StreamKeys(this.#keys, stream);
    return retryStorage(settings.storageRetryMs, closed, async () => {
      const newest = Number(
        replyAt(await batch.run(keys.slot, [{ name: "hget", args: [keys.meta, "fence"] }]), 0),
      );
      // An owner may have gone before it had anything to say.
      for (let fence = newest; fence > 0; fence -= 1) {
        const sealed = [{ name: "hget", args: [keys.meta, `s:${fence}`] }] as const;
        const seal = replyAt(await batch.run(keys.slot, sealed), 0);
        const upTo = seal === null ? "+" : String(seal);
        const args = [keys.entries(fence), upTo, "-", "COUNT", 1];
        const found = await batch.run(keys.slot, [{ name: "xrevrange", args, binary: true }]);
        const [entry] = parseEntries(replyAt(found, 0));
        if (entry !== undefined) return entry;
      }
      return undefined;
    });
  }

  async expire(stream: StreamRef, ttlMs: number): Promise<void> {
    const keys = new StreamKeys(this.#keys, stream);
    const [, ...sleepers] = await this.#onFence((expected, ahead) =>
      scripts.expire.run(
        this.#streams.redis,
        [keys.meta, keys.readers, keys.sleepers, ...keys.allEntries(expected + ahead)],
        [expected + ahead, ttlMs, "set"],
      ),
    );
    this.#streams.bell.ring(sleepers);
  }

  async remove(stream: StreamRef, when: Removal, readerId = ""): Promise<void> {
    const keys = new StreamKeys(this.#keys, stream);
    const { redis, settings, bell } = this.#streams;
    const [, ...sleepers] = await this.#onFence((expected, ahead) => {
      // Several of a turn leave in one write.
      if (!isCluster(redis)) holdWrites(redis, "end-of-turn");
      return scripts.remove.run(
        redis,
        [keys.meta, keys.readers, keys.sleepers, keys.owner, ...keys.allEntries(expected + ahead)],
        [expected + ahead, when, readerId, settings.readerStaleMs, LEAVING_MS],
      );
    }, USUAL_FENCE);
    if (sleepers.length > 0) bell.ring(sleepers);
  }

  async close(): Promise<void> {
    if (this.#streams.closed.aborted) return;
    this.#closing.abort(new GatewayError("storage.unavailable", "The streams are closed."));
    clearInterval(this.#heart);
    this.#streams.links.close();
    for (const end of this.#streams.open) end.ring();
    this.#streams.open.clear();
    await this.#streams.bell.close();
  }

  /** Runs a script that names keys by the fence it expects, until the fence is the one expected. */
  async #onFence(
    run: (expected: number, ahead: number) => Promise<readonly string[]>,
    guess = 0,
  ): Promise<readonly string[]> {
    const { settings, closed } = this.#streams;
    let expected = guess;
    for (let round = 0; round < MAX_CONFLICTS; round += 1) {
      const fence = expected;
      const ahead = round > 0 ? FENCES_AHEAD : 0;
      const answer = await retryStorage(settings.storageRetryMs, closed, () => run(fence, ahead));
      if (answer[0] !== "conflict") return answer;
      expected = Number(answer[1]);
    }
    throw new GatewayError("storage.unavailable", "Too many owners claim the stream at once.");
  }
}
