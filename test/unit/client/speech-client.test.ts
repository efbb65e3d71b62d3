import { SpeechClient } from "@tts-labs/client/speech-client";
import { describe, expect, it } from "vitest";
import { FakeEdge } from "../../../testkit/fleet/fake-edge.ts";
import { humOf } from "../../../testkit/speech/hum.ts";
import { codeOf, hanging, heardOf, openBoth, spokenOf, textsOf, typesOf } from "./client-fixture.ts";

describe("speaking", () => {
  it("yields every sample in order, and totals that agree", async () => {
    const { client } = await openBoth();
    const utterance = client.speak("Guten Tag zusammen");
    const { pcm } = humOf("Guten Tag zusammen");
    expect(await heardOf(utterance)).toEqual({ pcm, seams: [] });
    expect(await utterance.finished).toMatchObject({
      outcome: "completed",
      samples: pcm.length,
      durationMs: (pcm.length * 1000) / 24_000,
      characters: 18,
      firstAudioMs: expect.any(Number),
    });
  });

  it("tells of words and of what was sent", async () => {
    const { client } = await openBoth();
    const utterance = client.speak("Guten Tag");
    const sent: string[] = [];
    const words: string[] = [];
    utterance.on("sent", (piece) => sent.push(piece));
    utterance.on("words", (some) => words.push(...some.map(({ text }) => text)));
    await utterance.finished;
    expect({ sent, words }).toEqual({ sent: ["Guten Tag"], words: ["Guten", "Tag"] });
  });

  it("sends a string as one message that says that it is all", async () => {
    const { client, server } = await openBoth();
    await client.speak("Guten Tag", { voice: "anna" }).finished;
    expect(spokenOf(server.received)).toEqual([
      { type: "text", text: "Guten Tag", end: true, voice: "anna" },
    ]);
  });

  it("sends the pieces of an iterable as they come, options with the first alone", async () => {
    const { client, server } = await openBoth();
    async function* tokens() {
      yield "Eins ";
      yield "";
      yield "zwei ";
      yield "drei";
    }
    await client.speak(tokens(), { voice: "anna", voiceSettings: { speed: 1.1 }, autoMode: true }).finished;
    expect(spokenOf(server.received)).toEqual([
      { type: "text", text: "Eins ", voice: "anna", voice_settings: { speed: 1.1 }, auto_mode: true },
      { type: "text", text: "zwei " },
      { type: "text", text: "drei" },
      { type: "stream_end" },
    ]);
  });

  it("keeps the texts of utterances apart, in the order of speaking", async () => {
    const { client, server } = await openBoth();
    async function* slow() {
      yield "Eins ";
      // The second has long been asked for.
      await Promise.resolve();
      yield "eins";
    }
    const utterances = [client.speak(slow()), client.speak("zwei"), client.speak("drei")];
    const heard = await Promise.all(utterances.map(heardOf));
    expect(heard.map(({ pcm }) => pcm)).toEqual(["Eins eins", "zwei", "drei"].map((text) => humOf(text).pcm));
    expect(textsOf(server.received)).toEqual(["Eins ", "eins", "zwei", "drei"]);
  });

  it("has no more unfinished utterances than a session may have", async () => {
    const { client } = await openBoth({ onMessage: hanging });
    const utterances = Array.from({ length: 9 }, () => client.speak("Hallo"));
    expect(await codeOf(utterances[8]?.finished ?? Promise.resolve())).toBe("capacity.too_many_utterances");
  });

  it("refuses to speak nothing", async () => {
    const { client, server } = await openBoth();
    expect(await codeOf(client.speak(" \n").finished)).toBe("client.empty_text");
    expect(await codeOf(client.speak([""]).finished)).toBe("client.empty_text");
    expect(typesOf(server.received)).toEqual([]);
  });

  it("ends the utterance when the source of its text fails, and the next one speaks", async () => {
    const { client } = await openBoth();
    async function* broken() {
      yield "Eins ";
      throw new Error("the model is gone");
    }
    const failed = client.speak(broken());
    const next = client.speak("zwei");
    expect(await codeOf(failed.finished)).toBe("client.text_failed");
    expect(await codeOf(heardOf(failed))).toBe("client.text_failed");
    expect(await next.finished).toMatchObject({ outcome: "completed" });
  });
});

describe("the connection", () => {
  it("that is lost and not to be replaced fails what is unfinished, with the reason that its close code names", async () => {
    const { client, server } = await openBoth({ onMessage: hanging }, { resumeWindowMs: 0 });
    const utterance = client.speak("Hallo");
    await expect.poll(() => utterance.receivedSamples).toBe(24_000);
    server.disconnectAll(4001);
    expect(await codeOf(utterance.finished)).toBe("draining");
    expect((await client.closed).retryable).toBe(true);
    expect(await codeOf(client.speak("Noch da?").finished)).toBe("draining");
  });

  it("that no longer answers pings is given up", async () => {
    const options = { pingIntervalMs: 10, pongTimeoutMs: 10, resumeWindowMs: 0 };
    const { client } = await openBoth({ onMessage: () => true }, options);
    expect((await client.closed).code).toBe("client.unresponsive");
  });

  it("that answers pings stays, and knows its round trip", async () => {
    const { client, server } = await openBoth({}, { pingIntervalMs: 5, pongTimeoutMs: 5_000 });
    await expect.poll(() => server.received.length).toBeGreaterThan(3);
    expect(await client.ping()).toBeGreaterThanOrEqual(0);
  });

  it("can be closed twice", async () => {
    const { client } = await openBoth();
    expect((await client.close()).code).toBe("client.closed");
    expect((await client.close()).code).toBe("client.closed");
  });

  it("to nobody, or to no server of ours, is an error at once or in time", async () => {
    const gone = await FakeEdge.start();
    await gone.close();
    expect(await codeOf(SpeechClient.connect({ url: gone.url }))).toBe("client.connect_failed");
  });
});
