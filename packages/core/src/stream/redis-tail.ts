import { GatewayError } from "@tts-labs/protocol/errors";
import { outcomeOf, toAppendCommands } from "./append-commands.ts";
import { KeptEntries } from "./kept-entries.ts";
import { parseTail, replyAt } from "./redis-replies.ts";
import type { RedisStreams } from "./redis-streams.ts";
import type { EntryData } from "./stream.ts";
import type { Place, StreamKeys } from "./stream-keys.ts";

/**
 * Where a writer's stream ends in Redis, which may have lost what it acknowledged: in a failover what no replica had
 * yet, in a restart what was not on disk. Whenever a connection was cut or an answer lost, and at the end in any case,
 * the writer has it looked at, and what is missing is stored once more, under the same numbers (`KeptEntries`, the last
 * two seconds). Since numbers and contents are the same, no reader can tell, wherever it stands. What is no longer
 * kept: `stream.lost`.
 */
export class RedisTail {
  readonly #streams: RedisStreams;
  readonly #keys: StreamKeys;
  readonly #fence: number;
  readonly #entriesKey: string;
  readonly #kept = new KeptEntries();
  /** `LinkWatch.cuts` when the end of the stream was last known to be ours. */
  #provenAtCuts: number;

  constructor(streams: RedisStreams, keys: StreamKeys, fence: number) {
    this.#streams = streams;
    this.#keys = keys;
    this.#fence = fence;
    this.#entriesKey = keys.entries(fence);
    this.#provenAtCuts = streams.links.cuts;
  }

  /** No connection was cut since it was last looked at. */
  get isProven(): boolean {
    return this.#streams.links.cuts === this.#provenAtCuts;
  }

  /** These were acknowledged, the last of them under `lastSeq`. */
  keep(entries: readonly EntryData[], lastSeq: number): void {
    this.#kept.stored(entries, lastSeq, performance.now());
  }

  /**
   * Sees to it that all that was acknowledged, up to `last`, is there.
   * @throws GatewayError `lease.lost`, `stream.lost`, `storage.*`
   */
  async mend(last: Place): Promise<void> {
    const { batch, links, observer } = this.#streams;
    const { cuts } = links;
    const { fence, tail } = await this.#look();
    if (fence !== null && Number(fence) > this.#fence) throw new GatewayError("lease.lost");
    // An older fence: the claim itself has been lost.
    if (tail === undefined || fence !== String(this.#fence)) throw new GatewayError("stream.lost");
    if (tail.seq < last.seq) {
      const missing = this.#kept.after(tail.seq);
      if (missing === undefined) {
        throw new GatewayError("stream.lost", undefined, {
          facts: { acknowledgedSeq: last.seq, tailSeq: tail.seq },
        });
      }
      const commands = toAppendCommands(this.#entriesKey, missing, tail);
      const outcome = outcomeOf(await batch.runAlone(this.#keys.slot, commands));
      if (outcome instanceof Error) throw outcome;
      observer.mended(missing.length);
    }
    this.#provenAtCuts = cuts;
  }

  /**
   * Redis has refused numbers up to `place`: had the entries arrived before, or is another owner writing?
   * @param first of them @throws GatewayError `lease.lost`, `stream.lost`, `storage.*`
   */
  async assertIs(place: Place, first: number): Promise<void> {
    const { fence, tail } = await this.#look();
    if (fence !== null && fence !== String(this.#fence)) throw new GatewayError("lease.lost");
    if (tail?.seq === place.seq && tail.bytes === place.bytes) return;
    throw new GatewayError("stream.lost", undefined, {
      facts: { appendedSeq: first, tailSeq: tail?.seq ?? 0 },
    });
  }

  async #look(): Promise<{ readonly fence: unknown; readonly tail: Place | undefined }> {
    const { slot, meta } = this.#keys;
    const replies = await this.#streams.batch.runAlone(slot, [
      { name: "xinfo", args: ["STREAM", this.#entriesKey] },
      { name: "hget", args: [meta, "fence"] },
    ]);
    return { fence: replyAt(replies, 1), tail: parseTail(replies[0]) };
  }
}
