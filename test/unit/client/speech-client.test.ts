import { type ConnectOptions, SpeechClient } from "@tts-labs/client/speech-client";
import { SpeechError } from "@tts-labs/client/speech-error";
import type { Utterance } from "@tts-labs/client/utterance";
import type { ClientMessage } from "@tts-labs/core/protocol/client-message";
import { afterEach, describe, expect, it } from "vitest";
import { FakeEdge, type FakeEdgeOptions } from "../../harness/fake-edge.ts";
import type { FakeConnection } from "../../harness/fake-session.ts";
import { humOf } from "../../harness/hum.ts";
import { cancelledAfter, HEADER, STARTED } from "../../harness/one-utterance.ts";

const open: { close(): Promise<unknown> }[] = [];

afterEach(async () => {
  for (const it of open.splice(0).reverse()) await it.close();
});

async function connect(edge: FakeEdgeOptions = {}, options: Partial<ConnectOptions> = {}) {
  const server = await FakeEdge.start(edge);
  open.push(server);
  const client = await SpeechClient.connect({ url: server.url, ...options });
  open.push(client);
  return { server, client };
}

async function pcmOf(utterance: Utterance): Promise<Int16Array> {
  const samples: number[] = [];
  for await (const chunk of utterance) samples.push(...chunk.samples);
  return Int16Array.from(samples);
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "no error",
    (error: unknown) => (error instanceof SpeechError ? error.code : error),
  );

/** Without the pings, which are the connection's own affair. */
const spokenOf = (messages: readonly ClientMessage[]) => messages.filter(({ type }) => type !== "ping");
const typesOf = (messages: readonly ClientMessage[]) => spokenOf(messages).map(({ type }) => type);

/** Opens the utterance, sends one second of audio and no more. */
function hanging(message: ClientMessage, connection: FakeConnection): boolean {
  if (message.type !== "text") return message.type === "cancel" || message.type === "stream_end";
  connection.send(STARTED);
  connection.sendFrame(HEADER, new Uint8Array(48_000));
  return true;
}

describe("speaking", () => {
  it("yields every sample in order, and totals that agree", async () => {
    const { client } = await connect();
    const utterance = client.speak("Guten Tag zusammen");
    const { pcm } = humOf("Guten Tag zusammen");
    expect(await pcmOf(utterance)).toEqual(pcm);
    expect(await utterance.finished).toMatchObject({
      outcome: "completed",
      samples: pcm.length,
      durationMs: (pcm.length * 1000) / 24_000,
      characters: 18,
      firstAudioMs: expect.any(Number),
    });
  });

  it("tells of words and of what was sent", async () => {
    const { client } = await connect();
    const utterance = client.speak("Guten Tag");
    const sent: string[] = [];
    const words: string[] = [];
    utterance.on("sent", (piece) => sent.push(piece));
    utterance.on("words", (some) => words.push(...some.map(({ text }) => text)));
    await utterance.finished;
    expect({ sent, words }).toEqual({ sent: ["Guten Tag"], words: ["Guten", "Tag"] });
  });

  it("sends a string as one message that says that it is all", async () => {
    const { client, server } = await connect();
    await client.speak("Guten Tag", { voice: "anna" }).finished;
    expect(spokenOf(server.received)).toEqual([
      { type: "text", text: "Guten Tag", end: true, voice: "anna" },
    ]);
  });

  it("sends the pieces of an iterable as they come, options with the first alone", async () => {
    const { client, server } = await connect();
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
    const { client, server } = await connect();
    async function* slow() {
      yield "Eins ";
      // The second has long been asked for.
      await Promise.resolve();
      yield "eins";
    }
    const utterances = [client.speak(slow()), client.speak("zwei"), client.speak("drei")];
    const heard = await Promise.all(utterances.map(pcmOf));
    expect(heard).toEqual(["Eins eins", "zwei", "drei"].map((text) => humOf(text).pcm));
    const texts = server.received.flatMap((message) => (message.type === "text" ? [message.text] : []));
    expect(texts).toEqual(["Eins ", "eins", "zwei", "drei"]);
  });

  it("has no more unfinished utterances than a session may have", async () => {
    const { client } = await connect({ onMessage: hanging });
    const utterances = Array.from({ length: 9 }, () => client.speak("Hallo"));
    expect(await codeOf(utterances[8]?.finished ?? Promise.resolve())).toBe("capacity.too_many_utterances");
  });

  it("refuses to speak nothing", async () => {
    const { client, server } = await connect();
    expect(await codeOf(client.speak(" \n").finished)).toBe("client.empty_text");
    expect(await codeOf(client.speak([""]).finished)).toBe("client.empty_text");
    expect(typesOf(server.received)).toEqual([]);
  });

  it("ends the utterance when the source of its text fails, and the next one speaks", async () => {
    const { client } = await connect();
    async function* broken() {
      yield "Eins ";
      throw new Error("the model is gone");
    }
    const failed = client.speak(broken());
    const next = client.speak("zwei");
    expect(await codeOf(failed.finished)).toBe("client.text_failed");
    expect(await codeOf(pcmOf(failed))).toBe("client.text_failed");
    expect(await next.finished).toMatchObject({ outcome: "completed" });
  });
});

describe("errors of the server", () => {
  const refusal = {
    type: "error",
    code: "protocol.invalid_message",
    message: "No.",
    retryable: false,
  } as const;

  it("a refused opening fails that utterance alone, whatever else was sent with it", async () => {
    const { client } = await connect({
      onMessage: (message, connection) => {
        if (message.type === "text" && message.voice === "bad") {
          connection.send(refusal);
          // To something else that came along.
          connection.send({ ...refusal, code: "protocol.wrong_state" });
          return true;
        }
        return false;
      },
    });
    const stray: string[] = [];
    client.on("error", ({ code }) => stray.push(code));
    const [bad, good] = [client.speak("Eins", { voice: "bad" }), client.speak("zwei")];
    expect(await codeOf(bad.finished)).toBe("protocol.invalid_message");
    expect(await good.finished).toMatchObject({ outcome: "completed" });
    expect(stray).toEqual([]);
  });

  it("a refused text that comes in pieces is closed, so that the next one is heard", async () => {
    let refusing = false;
    const { client, server } = await connect({
      // As an edge does: what was refused is refused up to its stream_end.
      onMessage: (message, connection) => {
        if (message.type === "text" && message.voice === "bad") {
          refusing = true;
          connection.send({ ...refusal, code: "capacity.too_many_utterances" });
        }
        const refused = refusing && message.type !== "ping";
        if (message.type === "stream_end") refusing = false;
        return refused;
      },
    });
    const bad = client.speak(["Eins ", "eins"], { voice: "bad" });
    const good = client.speak("zwei");
    expect(await codeOf(bad.finished)).toBe("capacity.too_many_utterances");
    expect(await good.finished).toMatchObject({ outcome: "completed" });
    expect(typesOf(server.received)).toEqual(["text", "stream_end", "text"]);
  });

  it("an opening that the server passes over fails as soon as that is certain", async () => {
    const { client } = await connect({ onMessage: ({ type }) => type === "text" || type === "stream_end" });
    expect(await codeOf(client.speak("Hallo").finished)).toBe("client.not_understood");
  });

  it("a complaint about a cancel that came too late harms nobody", async () => {
    const { client } = await connect({
      onMessage: (message, connection) => {
        if (message.type === "text") connection.send({ ...refusal, code: "protocol.wrong_state" });
        return false;
      },
    });
    expect(await client.speak("Hallo").finished).toMatchObject({ outcome: "completed" });
  });

  it("a failure in mid-utterance ends the iteration with it, after the audio that came", async () => {
    const { client } = await connect({
      onMessage: (message, connection) => {
        const handled = hanging(message, connection);
        if (message.type === "text") {
          const error = {
            ...refusal,
            code: "provider.truncated",
            retryable: true,
            retry_after_ms: 500,
          } as const;
          connection.send({ ...error, utterance_id: "u" });
        }
        return handled;
      },
    });
    const utterance = client.speak("Hallo");
    let samples = 0;
    const read = async () => {
      for await (const chunk of utterance) samples += chunk.samples.length;
    };
    await expect(read()).rejects.toMatchObject({ code: "provider.truncated", retryAfterMs: 500 });
    expect(samples).toBe(24_000);
  });

  it("a gap between frames is an error, never silence", async () => {
    const { client, server } = await connect({
      onMessage: (message, connection) => {
        const handled = hanging(message, connection);
        if (message.type === "text") {
          connection.sendFrame({ ...HEADER, firstSample: 24_960, seq: 2 }, new Uint8Array(1_920));
        }
        return handled;
      },
    });
    expect(await codeOf(client.speak("Hallo").finished)).toBe("client.audio_gap");
    await expect.poll(() => typesOf(server.received)).toContain("cancel");
  });

  it("audio that nobody takes is bounded, and reaching the bound cancels", async () => {
    const { client, server } = await connect({ onMessage: hanging }, { maxBufferedMs: 999 });
    expect(await codeOf(client.speak("Hallo").finished)).toBe("client.buffer_full");
    await expect.poll(() => typesOf(server.received)).toContain("cancel");
    const { client: roomier } = await connect({ onMessage: hanging }, { maxBufferedMs: 1_000 });
    const utterance = roomier.speak("Hallo");
    await expect.poll(() => utterance.receivedSamples).toBe(24_000);
  });

  it("a message that is none ends the connection", async () => {
    const { client } = await connect({
      onMessage: (_message, connection) => {
        connection.sendFrame({ ...HEADER, utterance: 1 }, new Uint8Array(3));
        connection.send(STARTED);
        connection.sendFrame(HEADER, new Uint8Array(3));
        return true;
      },
    });
    expect(await codeOf(client.speak("Hallo").finished)).toBe("client.not_understood");
  });
});

describe("cancel", () => {
  it("takes nothing more from that moment and resolves with what was received", async () => {
    const { client, server } = await connect({
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
    const { client, server } = await connect({ onMessage: hanging });
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
    const { client } = await connect({ onMessage: hanging }, { cancelTimeoutMs: 20 });
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
    const { client, server } = await connect({ onMessage: hanging }, { cancelTimeoutMs: 20 });
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

describe("the connection", () => {
  it("that is lost and not to be replaced fails what is unfinished, with the reason that its close code names", async () => {
    const { client, server } = await connect({ onMessage: hanging }, { resumeWindowMs: 0 });
    const utterance = client.speak("Hallo");
    await expect.poll(() => utterance.receivedSamples).toBe(24_000);
    server.disconnectAll(4001);
    expect(await codeOf(utterance.finished)).toBe("draining");
    expect((await client.closed).retryable).toBe(true);
    expect(await codeOf(client.speak("Noch da?").finished)).toBe("draining");
  });

  it("that no longer answers pings is given up", async () => {
    const options = { pingIntervalMs: 10, pongTimeoutMs: 10, resumeWindowMs: 0 };
    const { client } = await connect({ onMessage: () => true }, options);
    expect((await client.closed).code).toBe("client.unresponsive");
  });

  it("that answers pings stays, and knows its round trip", async () => {
    const { client, server } = await connect({}, { pingIntervalMs: 5, pongTimeoutMs: 5_000 });
    await expect.poll(() => server.received.length).toBeGreaterThan(3);
    expect(await client.ping()).toBeGreaterThanOrEqual(0);
  });

  it("can be closed twice", async () => {
    const { client } = await connect();
    expect((await client.close()).code).toBe("client.closed");
    expect((await client.close()).code).toBe("client.closed");
  });

  it("to nobody, or to no server of ours, is an error at once or in time", async () => {
    const gone = await FakeEdge.start();
    await gone.close();
    expect(await codeOf(SpeechClient.connect({ url: gone.url }))).toBe("client.connect_failed");
  });
});
