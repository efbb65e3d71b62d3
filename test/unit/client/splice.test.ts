import { describe, expect, it, vi } from "vitest";
import { humOf, splicedHumOf } from "../../../testkit/speech/hum.ts";
import { expectSame, heardOf, openClient, openEdge, TEXT } from "./client-fixture.ts";

// Each connection made anew takes its time on a busy machine.
vi.setConfig({ testTimeout: 20_000 });

describe("a splice", () => {
  const splice = { at: 24_000, from: 21_120 };

  it("replaces from its sample on, what has been given and what has not", async () => {
    const { url } = await openEdge({ troubles: { splice } });
    const { client } = await openClient({ url });
    const utterance = client.speak([TEXT]);
    const { pcm, seams } = await heardOf(utterance);
    expectSame(pcm, splicedHumOf(TEXT, splice.from));
    expect(seams).toEqual([]);
    expect(await utterance.finished).toMatchObject({ splices: 1, samples: pcm.length });
  });

  it("to one who does not look at it repeats no more than the word being spoken", async () => {
    const { url } = await openEdge({ troubles: { splice } });
    const { client } = await openClient({ url });
    let samples = 0;
    for await (const chunk of client.speak(TEXT)) samples += chunk.samples.length;
    expect(samples - humOf(TEXT).pcm.length).toBe(24_000 - splice.from);
  });

  it("while the connection is away goes back behind what had been received", async () => {
    const { url } = await openEdge({ troubles: { splice, cutAt: [24_000] } });
    const { client } = await openClient({ url });
    expectSame((await heardOf(client.speak(TEXT))).pcm, splicedHumOf(TEXT, splice.from));
  });
});
