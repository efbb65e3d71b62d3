import { SpeechSeries } from "@tts-labs/client/speech-series";
import type { SpeechText } from "@tts-labs/client/text-pieces";
import { describe, expect, it } from "vitest";
import { HEADER, STARTED } from "../../../testkit/clients/one-utterance.ts";
import { humOf } from "../../../testkit/speech/hum.ts";
import { codeOf, expectSame, hanging, heardOf, openBoth, textsOf, typesOf } from "./client-fixture.ts";

const SENTENCES = Array.from({ length: 9 }, (_, i) => `Das ist Satz ${i} hier. `);
/** Two sentences fill an utterance. */
const FULL_AFTER = 30;

/** Opens each utterance at its first text, sends one second of its audio, and no more. */
const hangingEach = (): typeof hanging => {
  let utterance = 0;
  let isOpen = false;
  return (message, connection) => {
    if (message.type === "stream_end") isOpen = false;
    if (message.type !== "text") return hanging(message, connection);
    if (!isOpen) {
      utterance += 1;
      connection.send({ ...STARTED, utterance_id: `utt_${utterance}`, utterance });
      connection.sendFrame({ ...HEADER, utterance }, new Uint8Array(48_000));
    }
    isOpen = message.end !== true;
    return true;
  };
};

const open = async (text: SpeechText, edge: Parameters<typeof openBoth>[0] = {}) => {
  const { client, server } = await openBoth(edge);
  const series = new SpeechSeries({
    text,
    sampleRateHz: client.session.sample_rate,
    speak: (part) => client.speak(part),
    fullAfterCharacters: FULL_AFTER,
  });
  return { client, server, series };
};

describe("a text longer than an utterance may be", () => {
  it("is spoken as several that sound like one: all of it, in order, without a gap", async () => {
    const { series, server } = await open(SENTENCES);
    const heard = heardOf(series);
    const totals = await series.finished;
    const parts = [0, 2, 4, 6, 8].map((i) => SENTENCES.slice(i, i + 2).join(""));
    const pcm = parts.flatMap((part) => [...humOf(part).pcm]);
    const { pcm: got, seams } = await heard;
    expectSame(got, Int16Array.from(pcm));
    expect(seams).toEqual([]);
    expect(textsOf(server.received).join("")).toBe(SENTENCES.join(""));
    expect(typesOf(server.received).filter((type) => type === "stream_end")).toHaveLength(5);
    expect(totals).toMatchObject({
      outcome: "completed",
      samples: pcm.length,
      characters: SENTENCES.join("").length,
    });
    expect(series.receivedSamples).toBe(pcm.length);
  });

  it("gives its audio to a listener as to an iteration, and has one end", async () => {
    const { series } = await open(SENTENCES);
    const pcm: number[] = [];
    const ends: boolean[] = [];
    series.on("audio", ({ firstSample, samples, last }) => {
      expect(firstSample).toBe(pcm.length);
      pcm.push(...samples);
      ends.push(last);
    });
    const { samples } = await series.finished;
    expect(pcm).toHaveLength(samples);
    expect(ends.slice(0, -1)).not.toContain(true);
  });

  it("is one WAV", async () => {
    const { series } = await open(SENTENCES.slice(0, 4));
    const wav = await series.toWav();
    const { samples } = await series.finished;
    expect(wav.length).toBe(44 + samples * 2);
    const parts = [0, 2].map((i) => humOf(SENTENCES.slice(i, i + 2).join("")).pcm);
    expectSame(new Int16Array(wav.slice(44).buffer), Int16Array.from(parts.flatMap((pcm) => [...pcm])));
  });

  it("ends with the signal that cancels one of its utterances", async () => {
    const { client, server } = await openBoth({ onMessage: hangingEach() }, { cancelTimeoutMs: 20 });
    const stop = new AbortController();
    const series = new SpeechSeries({
      text: SENTENCES,
      sampleRateHz: client.session.sample_rate,
      speak: (part) => client.speak(part, { signal: stop.signal }),
      fullAfterCharacters: FULL_AFTER,
    });
    await expect.poll(() => series.receivedSamples).toBeGreaterThan(0);
    stop.abort();
    expect((await series.finished).outcome).toBe("cancelled");
    expect(typesOf(server.received)).toContain("cancel");
    expect(textsOf(server.received).join("")).not.toContain("Satz 5");
  });

  it("is not called completed when it was cancelled between two utterances, and waits for no more text", async () => {
    async function* endless() {
      yield* SENTENCES.slice(0, 2);
      await new Promise(() => {});
    }
    const { client } = await openBoth();
    const spoken: string[] = [];
    const series = new SpeechSeries({
      text: endless(),
      sampleRateHz: client.session.sample_rate,
      // It speaks the first sentence alone, so that it is over while the text goes on.
      speak: () => {
        spoken.push(SENTENCES[0] ?? "");
        return client.speak(SENTENCES[0] ?? "");
      },
    });
    for await (const { samples } of series) {
      expect(samples.length).toBeGreaterThan(0);
      if (series.receivedSamples === humOf(SENTENCES[0] ?? "").pcm.length) break;
    }
    series.reportPlayed(series.receivedSamples);
    expect((await series.cancel()).outcome).toBe("cancelled");
    expect((await series.finished).outcome).toBe("cancelled");
    expect(spoken).toHaveLength(1);
  });

  it("has its words on one clock", async () => {
    const { series } = await open(SENTENCES);
    const starts: number[] = [];
    const words: string[] = [];
    series.on("words", (some) => {
      words.push(...some.map(({ text }) => text));
      starts.push(...some.map(({ startMs }) => startMs));
    });
    await Promise.all([heardOf(series), series.finished]);
    expect(words).toHaveLength(SENTENCES.length * 5);
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
  });

  it("ends as a whole when it is cancelled, and when one of its utterances fails", async () => {
    const hung = await open(SENTENCES, { onMessage: hangingEach() });
    const reading = heardOf(hung.series);
    await expect.poll(() => hung.series.receivedSamples).toBeGreaterThan(0);
    await hung.client.close();
    expect(await codeOf(hung.series.finished)).toBe("client.closed");
    expect(await codeOf(reading)).toBe("client.closed");
    const { series } = await open(SENTENCES);
    for await (const { firstSample } of series) if (firstSample > 0) break;
    expect((await series.cancel()).outcome).toBe("cancelled");
  });

  it("asks its source for no more once it has failed", async () => {
    let isTold = false;
    async function* endless() {
      try {
        for (;;) yield "Noch ein Satz. ";
      } finally {
        isTold = true;
      }
    }
    const { client, series } = await open(endless(), { onMessage: hangingEach() });
    await expect.poll(() => series.receivedSamples).toBeGreaterThan(0);
    await client.close();
    expect(await codeOf(series.finished)).toBe("client.closed");
    await expect.poll(() => isTold).toBe(true);
  });
});
