import { type StreamObserver, silentObserver } from "@tts-labs/core/stream/observer";
import type { StreamRef } from "@tts-labs/core/stream/stream";
import { describe, expect, it } from "vitest";
import { OwnRedis } from "./own-redis.ts";
import { entries, entry, newStream, readAll, TTL_MS, upTo } from "./speech.ts";
import type { StoreOptions } from "./stores.ts";

/**
 * What a failover does whose replica had not got the last entries yet, or a restart whose file had not: the
 * server goes back to an older state, and every connection is cut. Here it is done to one stream's entries.
 */
const redis = new OwnRedis();
const claim = { owner: "worker_1", maxBytes: 1_000_000, ttlMs: TTL_MS };

const open = async (options: StoreOptions = {}) => {
  const counts = { mended: 0 };
  const observer: StreamObserver = {
    ...silentObserver,
    mended: (count) => {
      counts.mended += count;
    },
  };
  const stores = await redis.open({ observer, settings: { rereadMs: 100 }, ...options });
  const stream = newStream();
  const writer = await stores.writing.claim(stream, claim);
  const reader = stores.reading.reader(stream, { readerId: "edge_1", ttlMs: TTL_MS });
  return { stores, stream, writer, reader, counts };
};

/** Remembers the entries as they are; to be called when they are to be so again. */
async function snapshot({ tag }: StreamRef): Promise<() => Promise<void>> {
  const [key] = (await redis.admin.keys(`*${tag}*entries:1`)) as [string];
  const state = await redis.admin.dumpBuffer(key);
  return async () => {
    await redis.admin.restore(key, TTL_MS, state, "REPLACE");
    await redis.cut("commands");
  };
}

describe("entries that were acknowledged and then lost", () => {
  it("are stored again before the next one, under their numbers: readers on both sides of them go on", async () => {
    const { stores, stream, writer, reader, counts } = await open();
    await writer.append(entries(1, 3));
    const goBack = await snapshot(stream);
    await writer.append(entries(4, 6));
    const ahead = await readAll(reader, { until: 6 });
    await goBack();
    await writer.append(entries(7, 8));
    await writer.end("");
    const rest = await readAll(reader);
    expect([...ahead.numbers, ...rest.numbers]).toEqual(upTo(8));
    const late = stores.reading.reader(stream, { readerId: "edge_2", ttlMs: TTL_MS, from: "oldest" });
    expect((await readAll(late)).seqs.at(-1)).toBe(8);
    expect(counts.mended).toBe(3);
    await Promise.all([reader.close(), late.close()]);
  });

  it("would be a gap, were the acknowledgements believed", async () => {
    const { stream, writer, reader } = await open({ mends: false });
    await writer.append(entries(1, 3));
    const goBack = await snapshot(stream);
    await writer.append(entries(4, 6));
    await readAll(reader, { until: 3, perRead: 3 });
    await goBack();
    await writer.append(entries(7, 8));
    expect(await reader.read(10)).toMatchObject({ kind: "lost" });
    await reader.close();
  });

  it("are stored again at the end, where nothing comes after them", async () => {
    const { stream, writer, reader, counts } = await open();
    await writer.append(entries(1, 2));
    const goBack = await snapshot(stream);
    await writer.append(entries(3, 5));
    await goBack();
    await writer.end("done");
    expect((await readAll(reader)).numbers).toEqual(upTo(5));
    expect(counts.mended).toBe(3);
    await reader.close();
  });

  it("end the stream with a typed, retryable error where they are no longer kept", async () => {
    const { stream, writer, reader } = await open();
    await writer.append([entry(1)]);
    const goBack = await snapshot(stream);
    const large = (number: number) => ({ head: `${number}`, body: Buffer.alloc(16_000, number) });
    for (let number = 2; number <= 30; number += 1) {
      await writer.append([large(number)]);
      reader.advance(number);
    }
    await goBack();
    await expect(writer.append([entry(31)])).rejects.toMatchObject({ code: "stream.lost", retryable: true });
    await expect(writer.end("")).rejects.toMatchObject({ code: "stream.lost" });
    await reader.close();
  });

  it("do not come back through a writer that has been replaced meanwhile", async () => {
    const { stores, stream, writer, reader } = await open();
    await writer.append(entries(1, 2));
    const goBack = await snapshot(stream);
    await writer.append(entries(3, 4));
    await goBack();
    const second = await stores.writing.claim(stream, { ...claim, owner: "worker_2" });
    expect(second.lastSeq).toBe(2);
    await expect(writer.append([entry(5)])).rejects.toMatchObject({ code: "lease.lost" });
    await second.append(entries(3, 3));
    await second.end("");
    expect((await readAll(reader)).numbers).toEqual(upTo(3));
    await reader.close();
  });
});
