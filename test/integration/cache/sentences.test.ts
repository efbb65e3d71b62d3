import { execFile } from "node:child_process";
import { join } from "node:path";
import type { ServerMessageOf } from "@tts-labs/protocol/server-message";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";
import { metric } from "../../../testkit/ground/metrics.ts";
import { joinedPcm, renderSentences, wordStarts } from "../../../testkit/speech/joined-speech.ts";

const SAY = join(import.meta.dirname, "../../../scripts/say.ts");
const VOICE = "simEnglishGrace0000A";
/** A frame waits until it is full, or the last; 5 ms more until it is known whether another sentence follows. */
const HELD_SAMPLES = 960 + 120;
let system: System;
/** Makes sentences that were never said before. */
let number = 0;
const fresh = (text: string) => `${text} number ${++number + 100}.`;

beforeAll(async () => {
  system = await startSystem({
    redisUrl: inject("redisUrl"),
    workers: 2,
    edges: 2,
    edge: { cache: true },
    simulator: { timeScale: 0.2 },
  });
});
afterAll(() => system.close());
beforeEach(() => system.simulator.reset());

const connect = (edge = 0, query: Readonly<Record<string, string>> = {}) =>
  NativeClient.connect(system.edges[edge]?.url ?? "", { sentence_cache: "true", ...query });

/** As a language model writes. */
async function dictate(client: NativeClient, text: string, utterance = 1) {
  for (const token of text.match(/\s*\S{1,4}|\s+$/gu) ?? []) client.send({ type: "text", text: token });
  client.send({ type: "stream_end" });
  const spoken = await client.utterance(utterance);
  const end = await client.next("stream_complete", (it) => it.utterance === utterance);
  const words = client.messages
    .filter(
      (it): it is ServerMessageOf<"words"> => it.type === "words" && it.utterance_id === spoken.utteranceId,
    )
    .flatMap((it) => it.words);
  return { ...spoken, end, words };
}

const stored = async () =>
  (await Promise.all(system.edges.map(({ opsUrl }) => metric(opsUrl, "tts_cache_stored_total")))).reduce(
    (a, b) => a + b,
  );

describe("a dialogue whose sentences repeat, token by token", () => {
  test("has only the new ones spoken, on whichever edge, and sounds as each of them joined", async () => {
    const known = [fresh("You are in the queue with"), fresh("Please hold the line, you have")];
    const news = [fresh("The next free agent is"), fresh("Your call has the reference")];
    const before = await stored();
    const first = await connect(0);
    expect(first.connected.sentence_cache).toBe(true);
    const { pcm, end } = await dictate(first, known.join(" "));
    expect(pcm.equals(joinedPcm((await renderSentences(known, VOICE)).map((it) => it.pcm)))).toBe(true);
    expect(end).toMatchObject({ cache: "miss", sentences: { hit: 0, joined: 0, miss: 2, off: 0 } });
    expect(system.simulator.report().ends).toBe(2);
    await expect.poll(stored).toBe(before + 2);
    await first.close();

    system.simulator.reset();
    const mixed = [known[0] ?? "", news[0] ?? "", known[1] ?? "", news[1] ?? ""];
    const second = await connect(1);
    const again = await dictate(second, mixed.join(" "));
    const parts = await renderSentences(mixed, VOICE);
    expect(again.pcm.equals(joinedPcm(parts.map((it) => it.pcm)))).toBe(true);
    expect(system.simulator.report().ends).toBe(2);
    expect(again.end).toMatchObject({ cache: "miss", sentences: { hit: 2, joined: 0, miss: 2, off: 0 } });
    expect(again.end.samples).toBe(again.pcm.length / 2);
    const expected = wordStarts(parts);
    expect(again.words.map(({ text }) => text)).toEqual(mixed.join(" ").split(" "));
    for (const [i, word] of again.words.entries()) {
      expect(word.start_ms).toBeCloseTo(expected[i]?.startMs ?? Number.NaN, 3);
      expect(word.end_ms).toBeCloseTo(expected[i]?.endMs ?? Number.NaN, 3);
    }
    system.simulator.reset();
    const third = await dictate(second, mixed.join(" "), 2);
    expect(third.end).toMatchObject({ cache: "hit", sentences: { hit: 4, joined: 0, miss: 0, off: 0 } });
    expect(third.pcm.equals(again.pcm)).toBe(true);
    expect(third.words).toEqual(again.words);
    expect(system.simulator.report().ends).toBe(0);
    await second.close();
  });

  test("without the option is spoken anew: the count sees it", async () => {
    const text = [fresh("Nobody asked to keep this, sentence"), fresh("Nor to look this up, sentence")].join(
      " ",
    );
    const client = await connect(0, { sentence_cache: "false" });
    expect(client.connected.sentence_cache).toBe(false);
    await dictate(client, text);
    const { end } = await dictate(client, text, 2);
    expect(end.cache).toBe("off");
    expect(end.sentences).toBeUndefined();
    expect(system.simulator.report().ends).toBe(2);
    await client.close();
  });
});

test("npm run say -- --sentence-cache speaks a piped text, its known sentences from the cache", async () => {
  const sentences = [fresh("This came through a pipe, as"), fresh("And this came after it, as")];
  const say = () =>
    new Promise<{ pcm: Buffer; told: string }>((resolve, reject) => {
      const args = [
        SAY,
        "-",
        "-u",
        system.url,
        "-v",
        VOICE,
        "--json",
        "--sentence-cache",
        "--raw",
        "-o",
        "-",
      ];
      const options = { encoding: "buffer" as const, maxBuffer: 16 * 1024 * 1024 };
      const child = execFile(process.execPath, args, options, (error, pcm, stderr) =>
        error === null ? resolve({ pcm, told: stderr.toString() }) : reject(error),
      );
      child.stdin?.end(sentences.join(" "));
    });
  const expected = joinedPcm((await renderSentences(sentences, VOICE)).map(({ pcm }) => pcm));
  const before = await stored();
  const spoken = await say();
  expect(spoken.pcm.equals(expected)).toBe(true);
  expect(spoken.told).not.toContain("out of the cache");
  await expect.poll(stored).toBe(before + 2);
  system.simulator.reset();
  const known = await say();
  expect(known.pcm.equals(expected)).toBe(true);
  expect(known.told).toContain(" s of speech, 2 of 2 sentences out of the cache, to standard output");
  expect(known.told).toContain('"cache":"hit","sentences":{"hit":2,"joined":0,"miss":0,"off":0}');
  expect(system.simulator.report().ends).toBe(0);
});

describe("whoever hears sentences one by one", () => {
  test("is told on a cancel what was heard, across them, and nobody goes on speaking", async () => {
    const known = fresh("Good evening, this is the museum on line");
    const before = await stored();
    const client = await connect();
    await dictate(client, known);
    await expect.poll(stored).toBe(before + 1);
    const second = fresh("Tonight we are open until nine, in room");
    const text = `${known} ${second} And this one has no end`;
    client.send({ type: "text", text });
    const { utterance_id } = await client.next("utterance_started", (it) => it.utterance === 2);
    const parts = await renderSentences([known, second], VOICE);
    const [first, last] = parts.map(({ pcm }) => pcm.byteLength / 2);
    if (first === undefined || last === undefined) throw new Error("nothing rendered");
    const all = first + last - HELD_SAMPLES;
    await client.until("both sentences", () => client.received(2).samples >= all || undefined);
    const played = first + Math.floor(last / 2);
    client.send({ type: "played", utterance_id, samples: played });
    client.send({ type: "cancel" });
    const cancelled = await client.next("cancelled");
    const begun = wordStarts(parts).filter(({ startMs }) => startMs < played / 24);
    expect(begun.length).toBeGreaterThan(known.split(" ").length + 2);
    expect(cancelled).toMatchObject({ played_samples: played, estimated: false });
    expect(cancelled.text_heard.trim().split(" ")).toEqual(begun.map((it) => it.text));
    expect(cancelled.text_heard + cancelled.text_left).toBe(text);
    await client.close();
    await expect.poll(() => system.simulator.report().generating.now).toBe(0);
    for (const edge of system.edges) {
      await expect.poll(() => edge.counts()).toEqual({ sessions: 0, utterances: 0, backgroundWork: 0 });
    }
  });

  test("joins those who are just being told the same, on either edge", async () => {
    const shared = [
      fresh("All who call now hear this, the lucky"),
      fresh("And then they all hear, the second"),
    ];
    const clients = await Promise.all(Array.from({ length: 10 }, (_, i) => connect(i % 2)));
    const all = await Promise.all(clients.map((client) => dictate(client, shared.join(" "))));
    const rendered = joinedPcm((await renderSentences(shared, VOICE)).map(({ pcm }) => pcm));
    for (const { pcm } of all) expect(pcm.equals(rendered)).toBe(true);
    expect(system.simulator.report().ends).toBe(2);
    const misses = all.map(({ end }) => end.sentences?.miss ?? 0).reduce((a, b) => a + b);
    expect(misses).toBe(2);
    for (const client of clients) await client.close();
  });

  test("hears at once what was flushed, and nothing where there is nothing to say", async () => {
    const client = await connect();
    client.send({ type: "text", text: "One moment" });
    client.send({ type: "flush" });
    const moment = (await renderSentences(["One moment"], VOICE))[0]?.pcm.byteLength ?? 0;
    const heard = () => client.received(1).samples >= moment / 2 - HELD_SAMPLES || undefined;
    await client.until("the flushed text", heard);
    client.send({ type: "text", text: " please. " });
    client.send({ type: "stream_end" });
    const { pcm, words } = await client.utterance(1);
    const parts = await renderSentences(["One moment", "please."], VOICE);
    expect(pcm.equals(joinedPcm(parts.map((it) => it.pcm)))).toBe(true);
    expect(words.map(({ text }) => text)).toEqual(["One", "moment", "please."]);
    const { end } = await dictate(client, " ... \n", 2);
    expect(end).toMatchObject({ samples: 0, characters: 0, cache: "off" });
    await client.close();
  });
});

test("nothing stays in Redis for ever", async () => {
  expect(await system.keysWithoutTtl()).toEqual([]);
});
