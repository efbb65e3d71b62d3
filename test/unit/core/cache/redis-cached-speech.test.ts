import { ByteBudget } from "@tts-labs/core/async/byte-budget";
import { RedisCachedSpeech } from "@tts-labs/core/cache/redis-cached-speech";
import { CHUNK_BYTES, parseFacts, type SpeechFacts, toFields } from "@tts-labs/core/cache/stored-speech";
import { beforeEach, expect, test } from "vitest";
import { asRead, readAll, readRest, speech } from "../../../contract/cache/speech.ts";

/** More than is fetched at once, three times over. */
const SPOKEN = speech("A long train.", 25 * CHUNK_BYTES);
/** Asked for together with the first. */
const OPENING_CHUNKS = 3;
const REST_BYTES = 24 * CHUNK_BYTES;

let fields: Map<string, Buffer>;
let facts: SpeechFacts;
let fetched: number;
let damaged: number;

beforeEach(() => {
  fields = toFields(SPOKEN);
  const found = parseFacts(fields.get("head") ?? Buffer.alloc(0), fields.get("captions") ?? Buffer.alloc(0));
  if (found === undefined) throw new Error("an entry can't be read as it was written");
  facts = found;
  fetched = 0;
  damaged = 0;
});

/** An entry in Redis that goes when `fields` is cleared. */
function read(memory: ByteBudget): RedisCachedSpeech {
  const fetch = async (first: number, count: number) => {
    fetched += count;
    return Array.from({ length: count }, (_, i) => fields.get(String(first + i)) ?? null);
  };
  const source = { fetch, onDamaged: () => damaged++ };
  const beginning = { first: fields.get("0") ?? Buffer.alloc(0), next: fetch(1, OPENING_CHUNKS) };
  return new RedisCachedSpeech(facts, beginning, source, memory);
}

test("an entry is read ahead of its listener: it may go while it is heard", async () => {
  const memory = new ByteBudget(REST_BYTES);
  const cached = read(memory);
  await expect.poll(() => fetched).toBe(24);
  fields.clear();
  expect(memory.takenBytes).toBe(REST_BYTES);
  expect(await readAll(cached)).toStrictEqual(asRead(SPOKEN));
  expect(memory.takenBytes).toBe(0);
  expect(damaged).toBe(0);
});

test("without memory for it, it is read as it is heard: its going is told, and its listener loses the rest", async () => {
  const memory = new ByteBudget(REST_BYTES - 1);
  const cached = read(memory);
  for (let i = 0; i < 4; i++) await cached.next();
  expect(fetched).toBe(OPENING_CHUNKS);
  fields.clear();
  await expect(readRest(cached)).rejects.toMatchObject({ code: "stream.lost", retryable: true });
  expect(damaged).toBe(1);
  expect(memory.takenBytes).toBe(0);
});

test("who stops listening gives the memory back, and nothing more is fetched", async () => {
  const memory = new ByteBudget(REST_BYTES);
  const cached = read(memory);
  await cached.next();
  cached.close();
  cached.close();
  expect(memory.takenBytes).toBe(0);
  await expect(readRest(cached)).rejects.toMatchObject({ code: "internal" });
  expect(fetched).toBeLessThanOrEqual(16);
  expect(memory.takenBytes).toBe(0);
});

test("what fails while it is read ahead is asked for again when it is wanted", async () => {
  const memory = new ByteBudget(REST_BYTES);
  const chunk = fields.get("9") ?? Buffer.alloc(0);
  fields.delete("9");
  const cached = read(memory);
  await expect.poll(() => memory.takenBytes).toBe(0);
  fields.set("9", chunk);
  expect(await readAll(cached)).toStrictEqual(asRead(SPOKEN));
  expect(damaged).toBe(0);
});
