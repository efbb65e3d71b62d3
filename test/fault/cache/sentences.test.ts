import { SpeechClient } from "@tts-labs/client/speech-client";
import { afterEach, describe, expect, inject, test } from "vitest";
import { startFleet } from "../../../scripts/supervisor/fleet.ts";
import { hearCut } from "../../../testkit/clients/hear-cut.ts";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { ResumingTestClient } from "../../../testkit/clients/resuming-client.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { startSystem } from "../../../testkit/fleet/system.ts";
import { startTwoEdges } from "../../../testkit/fleet/two-edges.ts";
import { Gate } from "../../../testkit/ground/gate.ts";
import { metric } from "../../../testkit/ground/metrics.ts";
import { ChaosProxy } from "../../../testkit/redis/chaos-proxy.ts";
import { joinedPcm, renderSentences } from "../../../testkit/speech/joined-speech.ts";

const VOICE = "simEnglishGrace0000A";
const KNOWN = [
  "The ferry leaves at noon.",
  "Please have your tickets ready.",
  "The crossing takes two hours.",
];
const NEW = [
  "Today the sea is calm, and the sun is shining over all the islands.",
  "The restaurant is on deck seven, right behind the stairs.",
];

const closers: (() => Promise<unknown>)[] = [];
const later = <T extends { close(): Promise<unknown> }>(it: T): T => {
  closers.push(() => it.close());
  return it;
};
afterEach(async () => {
  for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
});

const pcmOf = async (sentences: readonly string[]) =>
  joinedPcm((await renderSentences(sentences, VOICE)).map(({ pcm }) => pcm));

/** So that all of them are in the cache. */
async function teach(
  { url, opsUrl }: { readonly url: string; readonly opsUrl: string },
  sentences: readonly string[],
) {
  const client = await NativeClient.connect(url, { sentence_cache: "true" });
  await client.speak(sentences.join(" "), { voice: VOICE });
  await client.close();
  await expect.poll(() => metric(opsUrl, "tts_cache_stored_total")).toBe(sentences.length);
}

describe("a client cut off while it hears sentences, some cached and some live", () => {
  test("comes back to another edge, in any of them, and hears every byte once", async () => {
    const system = later(
      await startSystem({
        redisUrl: inject("redisUrl"),
        edges: 2,
        edge: { cache: true, resumeWindowMs: 3_000 },
      }),
    );
    const proxies: ChaosProxy[] = [];
    for (const { url } of system.edges) {
      proxies.push(later(await new ChaosProxy().open(Number(new URL(url).port))));
    }
    await teach(system, KNOWN);
    let resumed = 0;
    for (const [run, cutEvery] of [5_000, 21_000, 67_000].entries()) {
      // Those that are new are so each time.
      const added = NEW.map((text) => text.replace(".", `, says number ${run + 20}.`));
      const said = [
        KNOWN[0] ?? "",
        added[0] ?? "",
        KNOWN[1] ?? "",
        KNOWN[2] ?? "",
        added[1] ?? "",
        KNOWN[0] ?? "",
      ];
      const client = await SpeechClient.connect({
        url: proxies.map(({ port }) => `http://127.0.0.1:${port}`),
        sentenceCache: true,
      });
      client.on("resumed", () => resumed++);
      const pcm = await hearCut(client.speak(said.join(" "), { voice: VOICE }), proxies, cutEvery);
      expect(pcm.equals(await pcmOf(said))).toBe(true);
      await client.close();
    }
    expect(resumed).toBeGreaterThan(20);
    // Nothing was said twice for having been cut.
    expect(system.simulator.report().ends).toBe(KNOWN.length + 6);
    for (const edge of system.edges) {
      await expect.poll(() => edge.counts()).toEqual({ sessions: 0, utterances: 0, backgroundWork: 0 });
    }
  }, 60_000);
});

test("when its edge is killed, a client hears the rest of its sentences from another, byte for byte", async () => {
  const fleet = later(
    await startFleet({ edges: 2, workers: 2, env: { edge: { CACHE: "true", TTS_VOICE: VOICE } } }),
  );
  const [first, second] = fleet.edges;
  if (first === undefined || second === undefined) throw new Error("too few edges");
  await teach(first, KNOWN);
  const client = new ResumingTestClient();
  closers.push(async () => client.cut());
  await client.connect(first.url, { sentence_cache: "true", delivery: "paced" });
  const said = [KNOWN[0], NEW[0], KNOWN[1]].map((it) => it ?? "");
  client.send({ type: "text", text: said.join(" ") });
  client.send({ type: "stream_end" });
  // Into the second one.
  await client.until("some of it", () => client.bytes > 150_000 || undefined);
  await first.kill();
  client.cut();
  await client.resume(second.url);
  const { pcm, words, end } = await client.ended(1);
  expect(end).toMatchObject({ type: "stream_complete", samples: pcm.length / 2 });
  expect(pcm.equals(await pcmOf(said))).toBe(true);
  expect(new Set(words)).toEqual(new Set(said.join(" ").split(" ")));
  await client.close();
}, 60_000);

test("who gives no more text, and does not end it, is told so after all that was said", async () => {
  const edge = { cache: true, stallTimeoutMs: 300 };
  const edges = later(await startTwoEdges({ redisUrl: inject("redisUrl"), edge }));
  const client = later(await NativeClient.connect(edges.urls[0], { sentence_cache: "true" }));
  client.send({ type: "text", text: "This is said. This has no end" });
  const { end, pcm } = await client.utterance(1);
  expect(end).toMatchObject({ type: "error", code: "session.text_timeout" });
  expect(pcm.equals(fakeSpeechOf("This is said."))).toBe(true);
});

describe("while the provider is left alone", () => {
  test("a dialogue of known sentences is spoken; the first that is not known ends it, after all before it", async () => {
    const system = later(
      await startSystem({
        redisUrl: inject("redisUrl"),
        edge: { cache: true },
        worker: { breakerFaults: 1, breakerOpenMs: 60_000, poolWarm: 0, retriesMax: 0 },
      }),
    );
    await teach(system, KNOWN);
    const client = later(await NativeClient.connect(system.url, { sentence_cache: "true" }));
    const failed = await client.speak("This one meets a fault.", { voice: `${VOICE}_fault_upgrade-503` });
    expect(failed.end.type).toBe("error");
    const asked = system.simulator.report().connections.opened;

    const spoken = await client.speak([...KNOWN].reverse().join(" "), { voice: VOICE });
    expect(spoken.end).toMatchObject({
      type: "stream_complete",
      cache: "hit",
      sentences: { hit: 3, miss: 0 },
    });
    expect(spoken.pcm.equals(await pcmOf([...KNOWN].reverse()))).toBe(true);

    const [first = "", second = ""] = KNOWN;
    const cut = await client.speak(`${first} ${second} Nobody said this before. ${first}`, { voice: VOICE });
    expect(cut.end).toMatchObject({ type: "error", code: "provider.circuit_open", retryable: true });
    // What follows is known to follow, so the end of the second one is faded.
    const whole = await pcmOf([first, second, first]);
    expect(cut.pcm.equals(whole.subarray(0, (await pcmOf([first, second])).length))).toBe(true);
    expect(system.simulator.report().connections.opened).toBe(asked);
  });
});

describe("sentences are begun ahead", () => {
  const SENTENCES = Array.from(
    { length: 9 },
    (_, i) => `This is sentence ${["a", "b", "c", "d", "e", "f", "g", "h", "i"][i]}.`,
  );

  test.each([
    ["only so many as are allowed", 2, 3],
    ["all of them where the bound is wider", 16, 9],
  ])("%s, and all are heard in order", async (_, sentencesAhead, begun) => {
    const gate = new Gate();
    const edges = later(
      await startTwoEdges({
        redisUrl: inject("redisUrl"),
        edge: { cache: true, sentencesAhead },
        worker: { beforeChunk: () => gate.passed() },
      }),
    );
    gate.close();
    closers.push(async () => gate.open());
    const client = later(await NativeClient.connect(edges.urls[0], { sentence_cache: "true" }));
    client.send({ type: "text", text: SENTENCES.join(" ") });
    client.send({ type: "stream_end" });
    await expect.poll(() => edges.worker.runs.length).toBe(begun);
    // What was begun too early would have been by now.
    client.send({ type: "ping" });
    await client.next("pong");
    expect(edges.worker.runs).toHaveLength(begun);
    expect(await metric(edges.edge.opsUrl, "tts_edge_sentences_held_back_total")).toBe(9 - begun);
    gate.open();
    const { pcm } = await client.utterance(1);
    expect(pcm.equals(joinedPcm(SENTENCES.map((text) => fakeSpeechOf(text))))).toBe(true);
  });

  test.each(["is cancelled", "is not asked for again"])(
    "and cancelled at their workers when their utterance %s",
    async (end) => {
      const gate = new Gate();
      const edges = later(
        await startTwoEdges({
          redisUrl: inject("redisUrl"),
          edge: { cache: true, resumeWindowMs: 300 },
          // The first sentence is held in its middle; those behind it wait for room, since they are not read yet.
          worker: {
            maxBytes: 12_000,
            beforeChunk: ({ utteranceId }, chunk) =>
              utteranceId.includes("-0-") && chunk > 0 ? gate.passed() : undefined,
          },
        }),
      );
      gate.close();
      closers.push(async () => gate.open());
      const client = later(await NativeClient.connect(edges.urls[0], { sentence_cache: "true" }));
      client.send({ type: "text", text: SENTENCES.join(" ") });
      await expect.poll(() => edges.worker.running).toBe(4);
      if (end === "is cancelled") client.send({ type: "cancel" });
      else await client.terminate();
      await expect.poll(() => edges.worker.running).toBe(1);
      gate.open();
      await expect.poll(() => edges.worker.running).toBe(0);
      expect(edges.worker.runs.map(({ state }) => state)).toEqual(
        Array.from({ length: 4 }, () => "cancelled"),
      );
      await client.close();
      await expect.poll(() => edges.edge.counts()).toEqual({ sessions: 0, utterances: 0, backgroundWork: 0 });
    },
  );
});
