import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { entries, newStream, TTL_MS } from "../speech.ts";
import type { OpenStores, Stores } from "../stores.ts";

const claim = { owner: "worker_1", maxBytes: 400, ttlMs: TTL_MS };

export function parking(open: OpenStores): void {
  describe("an owner that leaves until there is more to do", () => {
    let stores: Stores;
    beforeAll(async () => {
      stores = await open();
    });
    afterAll(() => stores.close());

    /** A stream with three entries, and the text beside it with two. */
    async function begun() {
      const { tag } = newStream();
      const [audio, text] = [{ tag, name: "audio" } as const, { tag, name: "text" } as const];
      const texts = await stores.reading.claim(text, { ...claim, maxBytes: 1_000_000 });
      await texts.append(entries(1, 2));
      const writer = await stores.writing.claim(audio, { ...claim, maxBytes: 1_000_000 });
      await writer.append(entries(1, 3));
      return { audio, text, texts, writer };
    }

    it("says so in the stream, after its last entry, and has done with it", async () => {
      const { audio, text, writer } = await begun();
      expect(await writer.park("farewell", text, 2)).toBe(true);
      expect(await stores.reading.inspect(audio)).toMatchObject({ lastSeq: 4, parkedAfter: 2 });
      const reader = stores.reading.reader(audio, { readerId: "edge_1", ttlMs: TTL_MS });
      const read = await reader.read(10);
      expect(read.kind === "entries" && read.entries.map(({ head }) => head).at(-1)).toBe("farewell");
      await reader.close();
    });

    it("stays where there is more by then, and goes on", async () => {
      const { audio, text, texts, writer } = await begun();
      await texts.append(entries(3, 3));
      expect(await writer.park("farewell", text, 2)).toBe(false);
      expect(await writer.append(entries(4, 4))).toBe(4);
      expect((await stores.reading.inspect(audio))?.parkedAfter).toBeUndefined();
    });

    it("is followed by the next one, who goes on after that", async () => {
      const { audio, text, writer } = await begun();
      await writer.park("farewell", text, 2);
      const next = await stores.reading.claim(audio, claim);
      expect(next.lastSeq).toBe(4);
      expect((await stores.reading.inspect(audio))?.parkedAfter).toBeUndefined();
    });

    it("can't leave what another owns by now", async () => {
      const { audio, text, writer } = await begun();
      await stores.reading.claim(audio, claim);
      await expect(writer.park("farewell", text, 2)).rejects.toMatchObject({ code: "lease.lost" });
    });
  });
}
