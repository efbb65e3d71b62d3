import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { ResumingTestClient } from "../../../testkit/clients/resuming-client.ts";
import { SAMPLES_PER_CHARACTER } from "../../../testkit/fleet/fake-worker.ts";
import { startTwoEdges, type TwoEdges } from "../../../testkit/fleet/two-edges.ts";
import { Random } from "../../../testkit/ground/random.ts";

const CUTS = 100;
/** A player tells how far it has come 10 times a second; the fake worker speaks three times as fast as people do. */
const REPORT_SAMPLES = 800;
const WORDS =
  "Whoever interrupts wants to know what the other one has said, and what not: bargeing in, as they call it.";
const TEXT = `${WORDS} `.repeat(2);

let edges: TwoEdges;
const clients: NativeClient[] = [];
const connect = async (query: Record<string, string> = {}, url = edges.edge.url) => {
  const client = await NativeClient.connect(url, query);
  clients.push(client);
  return client;
};
beforeAll(async () => {
  edges = await startTwoEdges({ redisUrl: inject("redisUrl") });
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});
afterAll(() => edges.close());

const wordsOf = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");

/** Words of `TEXT` of which a player at this sample has begun to play. */
function begun(sample: number): number {
  const starts = [...TEXT.matchAll(/\S+/g)].map(({ index }) => index * SAMPLES_PER_CHARACTER);
  return starts.filter((start) => start < sample).length;
}

describe("a cancel", () => {
  test(`is answered with the text that was heard, right within one word, in ${CUTS} random cuts`, async () => {
    const random = new Random(8_006);
    const client = await connect();
    const total = TEXT.length * SAMPLES_PER_CHARACTER;
    const off: number[] = [];
    const answeredMs: number[] = [];
    for (let cut = 1; cut <= CUTS; cut++) {
      const player = random.below(total);
      const reported = player - (player % REPORT_SAMPLES);
      client.send({ type: "text", text: TEXT });
      const { utterance_id } = await client.next("utterance_started", (it) => it.utterance === cut);
      await client.until("what is played", () => client.received(cut).samples > reported || undefined);
      client.send({ type: "played", utterance_id, samples: reported });
      const askedAtMs = performance.now();
      client.send({ type: "cancel" });
      const { end, pcm } = await client.utterance(cut);
      answeredMs.push(performance.now() - askedAtMs);
      if (end.type !== "cancelled") throw new Error(`ended as ${end.type}`);
      expect(end).toMatchObject({
        played_samples: reported,
        sent_samples: pcm.length / 2,
        heard_ms: reported / 24,
        estimated: false,
      });
      expect(`${end.text_heard}${end.text_left}`).toBe(TEXT);
      expect(wordsOf(end.text_heard)).toEqual(wordsOf(TEXT).slice(0, wordsOf(end.text_heard).length));
      off.push(begun(player) - wordsOf(end.text_heard).length);
    }
    expect(Math.min(...off)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...off)).toBeLessThanOrEqual(1);
    answeredMs.sort((a, b) => a - b);
    // What is speaking has seconds to go; the bench says how many milliseconds it takes on a quiet machine.
    expect(answeredMs[CUTS / 2]).toBeLessThan(250);
    expect(client.violations).toEqual([]);
  });

  test("knows the text and what was heard of it also after the session has moved to another edge", async () => {
    const client = new ResumingTestClient();
    await client.connect(edges.edge.url, { delivery: "paced" });
    client.send({ type: "text", text: TEXT });
    await client.until("some words", () => client.bytes > 60_000 || undefined);
    client.cut();
    await client.resume(edges.other.url);
    await client.until("more words", () => client.bytes > 90_000 || undefined);
    const { utteranceId } = client.received(1);
    const player = 40_000;
    client.send({ type: "played", utterance_id: utteranceId, samples: player });
    client.send({ type: "cancel" });
    const { end, pcm } = await client.ended(1);
    if (end?.type !== "cancelled") throw new Error(`ended as ${end?.type}`);
    expect(end).toMatchObject({ estimated: false, sent_samples: pcm.length / 2 });
    expect(`${end.text_heard}${end.text_left}`).toBe(TEXT);
    expect(wordsOf(end.text_heard)).toHaveLength(begun(player));
    await client.close();
  });

  test("of a client that never told how far it was is answered with a guess that says so, never beyond what was sent", async () => {
    const client = await connect({ delivery: "paced" });
    client.send({ type: "text", text: TEXT });
    const startedAtMs = performance.now();
    await client.until("a second of speech", () => client.received(1).samples > 24_000 || undefined);
    client.send({ type: "cancel" });
    const { end, pcm } = await client.utterance(1);
    if (end.type !== "cancelled") throw new Error(`ended as ${end.type}`);
    expect(end).toMatchObject({ estimated: true, played_samples: 0 });
    expect(end.heard_ms).toBeGreaterThan(0);
    expect(end.heard_ms).toBeLessThanOrEqual(Math.min(pcm.length / 48, performance.now() - startedAtMs));
    expect(wordsOf(end.text_heard)).toHaveLength(begun(end.heard_ms * 24));
  });

  test("before anything was heard leaves all of the text", async () => {
    const client = await connect();
    client.send({ type: "text", text: TEXT });
    client.send({ type: "text", text: "and more" });
    client.send({ type: "cancel" });
    const { end } = await client.utterance(1);
    expect(end).toMatchObject({ type: "cancelled", played_samples: 0 });
    if (end.type !== "cancelled") return;
    expect(`${end.text_heard}${end.text_left}`).toBe(`${TEXT}and more`);
  });

  test("where the provider tells no times is a guess in proportion, and says so", async () => {
    const mute = await startTwoEdges({ redisUrl: inject("redisUrl"), worker: { aligns: false } });
    const client = await NativeClient.connect(mute.edge.url, { delivery: "paced" });
    try {
      client.send({ type: "text", text: TEXT });
      const { utterance_id } = await client.next("utterance_started");
      await client.until("speech", () => client.received(1).samples > 24_000 || undefined);
      client.send({ type: "played", utterance_id, samples: 24_000 });
      client.send({ type: "cancel" });
      const { end } = await client.utterance(1);
      if (end.type !== "cancelled") throw new Error(`ended as ${end.type}`);
      expect(end).toMatchObject({ estimated: true, heard_ms: 1_000 });
      expect(`${end.text_heard}${end.text_left}`).toBe(TEXT);
      expect(end.text_heard.length).toBeGreaterThan(0);
      expect(end.text_left.length).toBeGreaterThan(0);
    } finally {
      await client.close();
      await mute.close();
    }
  });

  test("that was not read by its client is told again when it comes back, and nothing is spoken after it", async () => {
    const client = new ResumingTestClient();
    await client.connect(edges.edge.url);
    client.send({ type: "text", text: TEXT });
    await client.until("audio", () => client.bytes > 0 || undefined);
    const before = client.position();
    client.send({ type: "cancel" });
    const { end } = await client.ended(1);
    client.cut();
    const again = new ResumingTestClient();
    again.whenOpen(() => again.send({ type: "resume", ...before }));
    const { session_id } = client.connected;
    await again.connect(edges.other.url, { session_id, resume: "true" });
    expect(again.connected.utterances).toMatchObject([{ utterance: 1 }]);
    expect((await again.ended(1)).end).toEqual(end);
    expect(again.bytes).toBe(0);
    await again.close();
  });
});
