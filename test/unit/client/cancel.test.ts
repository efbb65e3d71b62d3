import { describe, expect, it, vi } from "vitest";
import { cancelledAfter, HEADER } from "../../../testkit/clients/one-utterance.ts";
import { hanging, openBoth, openClient, openEdge, TEXT, typesOf } from "./client-fixture.ts";

// Each connection made anew takes its time on a busy machine.
vi.setConfig({ testTimeout: 20_000 });

describe("cancel", () => {
  it("takes nothing more from that moment and resolves with what was received", async () => {
    const { client, server } = await openBoth({
      onMessage: (message, connection) => {
        if (message.type === "cancel") {
          connection.sendFrame({ ...HEADER, firstSample: 24_000, seq: 2 }, new Uint8Array(1_920));
          connection.send(cancelledAfter(24_960, 4_800));
        }
        return hanging(message, connection);
      },
    });
    const utterance = client.speak("Hallo");
    await expect.poll(() => utterance.receivedSamples).toBe(24_000);
    utterance.reportPlayed(4_800);
    const totals = await utterance.cancel();
    expect(totals).toMatchObject({ outcome: "cancelled", samples: 24_000, playedSamples: 4_800 });
    expect(await utterance.cancel()).toEqual(totals);
    expect(typesOf(server.received)).toEqual(["text", "played", "cancel"]);
  });

  it("of an utterance that waits for its turn tells the server nothing", async () => {
    const { client, server } = await openBoth({ onMessage: hanging });
    async function* endless() {
      yield "Eins ";
      await new Promise(() => {});
    }
    const first = client.speak(endless());
    await expect.poll(() => first.receivedSamples).toBe(24_000);
    expect(await client.speak("zwei").cancel()).toMatchObject({
      outcome: "cancelled",
      utteranceId: "",
      samples: 0,
    });
    expect(typesOf(server.received)).toEqual(["text"]);
  });

  it("ends even when the server never answers, and a hanging text source holds nobody up", async () => {
    const { client } = await openBoth({ onMessage: hanging }, { cancelTimeoutMs: 20 });
    async function* endless() {
      yield "Eins ";
      await new Promise(() => {});
    }
    const first = client.speak(endless());
    const second = client.speak("zwei");
    await expect.poll(() => first.receivedSamples).toBe(24_000);
    expect(await first.cancel()).toMatchObject({ outcome: "cancelled" });
    await expect.poll(() => second.id).toBe("u");
  });

  it("happens when the signal is aborted or the loop is left", async () => {
    const { client, server } = await openBoth({ onMessage: hanging }, { cancelTimeoutMs: 20 });
    const stop = new AbortController();
    const first = client.speak("Eins", { signal: stop.signal });
    await expect.poll(() => first.receivedSamples).toBe(24_000);
    stop.abort();
    expect(await first.finished).toMatchObject({ outcome: "cancelled" });
    const second = client.speak("zwei");
    for await (const _chunk of second) break;
    expect(await second.finished).toMatchObject({ outcome: "cancelled" });
    await expect.poll(() => typesOf(server.received).filter((type) => type === "cancel")).toHaveLength(2);
  });
});

describe("the time to first audio", () => {
  it("is told of a cancelled utterance too, the client's and the server's part of it", async () => {
    const { client } = await openBoth({
      onMessage: (message, connection) => {
        if (message.type === "cancel") {
          const latency_ms = { queue: 1, provider: 20 };
          connection.send({ ...cancelledAfter(24_000, 0), first_audio_ms: 21, latency_ms });
        }
        return hanging(message, connection);
      },
    });
    const utterance = client.speak("Hallo");
    await expect.poll(() => utterance.receivedSamples).toBe(24_000);
    const totals = await utterance.cancel();
    expect(totals).toMatchObject({ serverFirstAudioMs: 21, latencyMs: { queue: 1, provider: 20 } });
    expect(totals.firstAudioMs).toBeGreaterThan(0);
  });
});

describe("a cancel that the server answers", () => {
  async function* unfinished() {
    yield TEXT;
    await new Promise(() => {});
  }
  const heard = {
    heardMs: 1_000,
    textHeard: "Der Zug nach Hamburg ",
    textLeft: "fährt heute von Gleis sieben.",
    estimated: false,
  };

  it("tells what was heard, to the word, as the server reckons", async () => {
    const { url } = await openEdge();
    const { client } = await openClient({ url });
    // Its words' times are not known here: only the server can tell.
    const utterance = client.speak(unfinished());
    await expect.poll(() => utterance.id).toBeDefined();
    utterance.reportPlayed(24_000);
    expect(utterance.heard.estimated).toBe(true);
    expect(await utterance.cancel()).toMatchObject({ outcome: "cancelled", playedSamples: 24_000, ...heard });
  });

  it("said while there is no connection reaches the server with the next", async () => {
    const server = await openEdge();
    const { client, states } = await openClient({ url: server.url });
    const utterance = client.speak(unfinished());
    await expect.poll(() => utterance.id).toBeDefined();
    const cancelled = new Promise((resolve) => {
      client.on("reconnecting", () => {
        utterance.reportPlayed(24_000);
        resolve(utterance.cancel());
      });
    });
    server.disconnectAll();
    expect(await cancelled).toMatchObject({ outcome: "cancelled", playedSamples: 24_000, ...heard });
    expect(states).toEqual(["reconnecting 0", "resumed"]);
  });

  it("of speech that has been received and is still being heard is an interruption all the same", async () => {
    const { url } = await openEdge();
    const { client } = await openClient({ url });
    const utterance = client.speak(TEXT);
    await utterance.finished;
    utterance.reportPlayed(24_000);
    expect(await utterance.cancel()).toMatchObject({ outcome: "cancelled", ...heard });
  });
});
