import { firstReplaced } from "@tts-labs/client/hearing";
import { type ConnectOptions, SpeechClient } from "@tts-labs/client/speech-client";
import type { SpokenWord, Utterance } from "@tts-labs/client/utterance";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";
import { Random } from "../../../testkit/ground/random.ts";
import { ChaosProxy } from "../../../testkit/redis/chaos-proxy.ts";

const VOICE = "simGermanAnna000000A";
const TEXT =
  "Der Zug nach Köln fährt heute von Gleis sieben, und zwar mit einer Verspätung von etwa zwanzig Minuten. " +
  "Wir bitten um Ihr Verständnis und wünschen allen Reisenden eine angenehme Fahrt.";
const ROUNDS = 12;

/**
 * Two edges, each behind a proxy that cuts: the client comes back to the other one, which has never seen it, and
 * what it hears is what it would have heard.
 */
describe("a client whose connection is cut again and again", () => {
  let system: System;
  const proxies: ChaosProxy[] = [];
  let uncut: Buffer;

  beforeAll(async () => {
    system = await startSystem({ redisUrl: inject("redisUrl"), edges: 2, edge: { resumeWindowMs: 3_000 } });
    for (const { url } of system.edges) {
      proxies.push(await new ChaosProxy().open(Number(new URL(url).port)));
    }
    uncut = (await renderSpeech({ text: TEXT, voice: VOICE })).pcm;
  });
  afterAll(async () => {
    for (const proxy of proxies) await proxy.close();
    await system?.close();
  });

  const urls = () => proxies.map(({ port }) => `http://127.0.0.1:${port}`);
  const cutAll = () => {
    for (const proxy of proxies) proxy.cut();
  };

  async function liveUtterances(): Promise<number> {
    const live = await (await fetch(new URL("/api/v1/live", system.opsUrl))).json();
    return (live as { utterances: { total: number } }).utterances.total;
  }

  async function connect(options: Partial<ConnectOptions> = {}) {
    const client = await SpeechClient.connect({ url: urls(), ...options });
    const seen = { resumed: 0, stray: [] as string[] };
    client.on("resumed", () => seen.resumed++);
    client.on("error", ({ code }) => seen.stray.push(code));
    return { client, seen };
  }

  /** Hears it, cutting the connection each time that so many more samples have come. */
  async function hear(utterance: Utterance, cutEvery: number): Promise<Buffer> {
    const pcm: Buffer[] = [];
    let received = 0;
    let nextCut = cutEvery;
    for await (const { firstSample, samples, splice } of utterance) {
      expect(splice).toBeUndefined();
      expect(firstSample).toBe(received);
      received += samples.length;
      pcm.push(Buffer.from(samples.buffer));
      if (received < nextCut) continue;
      nextCut += cutEvery;
      cutAll();
    }
    return Buffer.concat(pcm);
  }

  it("hears every byte once, on whichever edge it comes back to", async () => {
    const random = new Random(20_261_122);
    let resumed = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const { client, seen } = await connect();
      try {
        const utterance = client.speak(TEXT, { voice: VOICE });
        const heard = await hear(utterance, 7_000 + random.below(60_000));
        expect(heard.equals(uncut), `round ${round}`).toBe(true);
        expect(await utterance.finished).toMatchObject({ outcome: "completed", splices: 0 });
        expect(seen.stray).toEqual([]);
      } finally {
        await client.close();
      }
      resumed += seen.resumed;
    }
    console.log(`${ROUNDS} utterances, ${resumed} resumes, every byte once`);
    expect(resumed).toBeGreaterThan(ROUNDS);
  });

  it("brings over all of a text that is typed while connections are cut, and hears the ones after it", async () => {
    const { client, seen } = await connect();
    try {
      async function* typed() {
        for (const [i, word] of (TEXT.match(/\S+\s*/g) ?? []).entries()) {
          if (i % 4 === 3) cutAll();
          // Sometimes while there is no connection, sometimes before it has brought over anything.
          if (i % 3 === 0) await expect.poll(() => client.state).toBe("open");
          yield word;
        }
      }
      const [first, second] = [client.speak(typed(), { voice: VOICE }), client.speak(TEXT, { voice: VOICE })];
      expect((await hear(first, 50_000)).equals(uncut)).toBe(true);
      expect((await hear(second, 50_000)).equals(uncut)).toBe(true);
      expect(seen.resumed).toBeGreaterThan(3);
      expect(seen.stray).toEqual([]);
    } finally {
      await client.close();
    }
  });

  it("hears every word once also where the provider dies in mid-utterance, again and again", async () => {
    const { client, seen } = await connect();
    try {
      // Each of its sockets ends after 2.5 s of audio.
      const utterance = client.speak(TEXT, { voice: `${VOICE}_fault_drop-after-audio_2500` });
      const words: SpokenWord[] = [];
      utterance.on("words", (told) => {
        const [first] = told;
        if (first !== undefined) words.splice(firstReplaced(words, first), Number.POSITIVE_INFINITY, ...told);
      });
      let end = 0;
      let nextCut = 40_000;
      for await (const { firstSample, samples, splice } of utterance) {
        // At a splice back by at most the word being spoken, else on from where the last chunk ended.
        if (splice === true) expect(end - firstSample).toBeLessThan(24_000);
        else expect(firstSample).toBe(end);
        end = firstSample + samples.length;
        if (end < nextCut) continue;
        nextCut += 40_000;
        cutAll();
      }
      const { samples, splices, outcome } = await utterance.finished;
      expect({ outcome, samples }).toEqual({ outcome: "completed", samples: end });
      console.log(`${splices} splices, ${seen.resumed} resumes`);
      expect(splices).toBeGreaterThan(1);
      expect(seen.resumed).toBeGreaterThan(1);
      expect(words.map(({ text }) => text)).toEqual(TEXT.split(" "));
      expect(words.every(({ startMs }, i) => startMs >= (words[i - 1]?.endMs ?? 0) - 1)).toBe(true);
      // As long as the uncut speech, but for the pauses where sentences were joined anew.
      expect(Math.abs(end - uncut.byteLength / 2)).toBeLessThan(24_000);
    } finally {
      await client.close();
    }
  });

  it("loses the rest at the first cut where sessions are not to be resumed", async () => {
    const { client } = await connect({ resumeWindowMs: 0 });
    const utterance = client.speak(TEXT, { voice: VOICE });
    await expect(hear(utterance, 20_000)).rejects.toMatchObject({ code: "client.disconnected" });
    expect(utterance.receivedSamples).toBeLessThan(uncut.byteLength / 2);
    // Nobody comes back: when the window is over, its edge lets it go, and the worker too.
    await expect.poll(liveUtterances, { timeout: 15_000 }).toBe(0);
  });
});
