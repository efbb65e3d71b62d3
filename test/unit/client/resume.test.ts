import { type ConnectOptions, SpeechClient } from "@tts-labs/client/speech-client";
import { SpeechError } from "@tts-labs/client/speech-error";
import type { Utterance } from "@tts-labs/client/utterance";
import type { ClientMessage } from "@tts-labs/core/protocol/client-message";
import { afterEach, describe, expect, it, vi } from "vitest";
import { FakeEdge, type FakeEdgeOptions } from "../../harness/fake-edge.ts";
import { humOf, splicedHumOf } from "../../harness/hum.ts";

const TEXT = "Der Zug nach Hamburg fährt heute von Gleis sieben.";
// Each connection made anew takes its time on a busy machine.
vi.setConfig({ testTimeout: 20_000 });

const open: { close(): Promise<unknown> }[] = [];

afterEach(async () => {
  for (const it of open.splice(0).reverse()) await it.close();
});

async function edge(options: FakeEdgeOptions = {}): Promise<FakeEdge> {
  const started = await FakeEdge.start(options);
  open.push(started);
  return started;
}

async function connect(options: ConnectOptions) {
  const client = await SpeechClient.connect(options);
  open.push(client);
  const states: string[] = [];
  client.on("reconnecting", ({ attempt }) => states.push(`reconnecting ${attempt}`));
  client.on("resumed", () => states.push("resumed"));
  client.on("error", ({ code }) => states.push(code));
  return { client, states };
}

/** As a listener who obeys splices hears it; `seams` are the samples at which chunks did not join. */
async function heardOf(utterance: Utterance): Promise<{ pcm: Int16Array; seams: number[] }> {
  const pcm: number[] = [];
  const seams: number[] = [];
  for await (const { firstSample, samples, splice } of utterance) {
    if (splice === true) pcm.length = firstSample;
    else if (firstSample !== pcm.length) seams.push(firstSample);
    pcm.push(...samples);
  }
  return { pcm: Int16Array.from(pcm), seams };
}

/** Without telling thousands of samples when they differ. */
function expectSame(pcm: Int16Array | undefined, expected: Int16Array): void {
  expect(pcm?.length).toBe(expected.length);
  expect(pcm?.findIndex((sample, i) => sample !== expected[i])).toBe(-1);
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "no error",
    (error: unknown) => (error instanceof SpeechError ? error.code : error),
  );

const textsOf = (messages: readonly ClientMessage[]) =>
  messages.flatMap((message) => (message.type === "text" ? [message.text] : []));

describe("a connection that is cut", () => {
  it("is replaced, and the speech goes on at the very sample: nothing missing, nothing twice", async () => {
    const { url } = await edge({ troubles: { cutAt: [960, 20_000, 20_000, 47_040] } });
    const { client, states } = await connect({ url });
    const { pcm, seams } = await heardOf(client.speak(TEXT));
    expectSame(pcm, humOf(TEXT).pcm);
    expect(seams).toEqual([]);
    expect(states.filter((state) => state === "resumed")).toHaveLength(4);
    expect(states.filter((state) => state !== "resumed")).toEqual(Array(4).fill("reconnecting 0"));
  });

  it("is the end where sessions are not to be resumed: the same cut loses the rest", async () => {
    const { url } = await edge({ troubles: { cutAt: [20_000] } });
    const { client } = await connect({ url, resumeWindowMs: 0 });
    const utterance = client.speak(TEXT);
    expect(await codeOf(utterance.finished)).toBe("client.disconnected");
    expect(utterance.receivedSamples).toBeLessThan(humOf(TEXT).pcm.length);
  });

  it("is replaced by the next server of the list, which knows the session", async () => {
    const first = await edge({ troubles: { cutAt: [20_000] } });
    const second = await edge({ sessions: first.sessions });
    const { client } = await connect({ url: [first.url, second.url] });
    const speaking = heardOf(client.speak(TEXT));
    const { pcm } = await speaking;
    expectSame(pcm, humOf(TEXT).pcm);
    expect([first.connections, second.connections]).toEqual([0, 1]);
  });

  it("or by the one that a function names", async () => {
    const servers = [await edge({ troubles: { cutAt: [20_000] } })];
    const { client } = await connect({ url: () => servers.at(-1)?.url ?? "" });
    servers.push(await edge({ sessions: servers[0]?.sessions ?? new Map() }));
    expectSame((await heardOf(client.speak(TEXT))).pcm, humOf(TEXT).pcm);
    expect(servers[1]?.connections).toBe(1);
  });

  it("loses no utterance that waits behind the one being spoken", async () => {
    const { url } = await edge({ troubles: { cutAt: [20_000, 20_000, 30_000] } });
    const { client } = await connect({ url });
    const texts = [TEXT, "Bitte einsteigen, die Türen schließen.", "Gute Reise und auf Wiedersehen."];
    const heard = await Promise.all(texts.map((text) => heardOf(client.speak(text))));
    for (const [i, { pcm }] of heard.entries()) expectSame(pcm, humOf(texts[i] ?? "").pcm);
  });
});

describe("text that a lost connection had not brought over", () => {
  /** Cuts the connection when the text number `n` (from 1) comes, and knows nothing of that text. */
  const losing = (n: number): FakeEdgeOptions => {
    let texts = 0;
    return {
      onMessage: (message, connection) => {
        if (message.type !== "text" || ++texts !== n) return false;
        connection.cut();
        return true;
      },
    };
  };

  async function* tokens() {
    yield* ["Der Zug ", "nach Köln ", "fährt ", "gleich."];
  }

  it("is sent again, from the character that is lacking, with its end", async () => {
    const server = await edge(losing(3));
    const { client } = await connect({ url: server.url });
    const { pcm } = await heardOf(client.speak(tokens()));
    expectSame(pcm, humOf("Der Zug nach Köln fährt gleich.").pcm);
    expect(textsOf(server.received)).toEqual(["Der Zug ", "nach Köln ", "fährt ", "fährt gleich."]);
  });

  it("is sent again whole, with its options, when it was to open the utterance", async () => {
    const server = await edge(losing(1));
    const { client } = await connect({ url: server.url });
    const { pcm } = await heardOf(client.speak(TEXT, { voice: "anna" }));
    expectSame(pcm, humOf(TEXT).pcm);
    expect(server.received.filter(({ type }) => type === "text")).toEqual(
      Array(2).fill({ type: "text", text: TEXT, end: true, voice: "anna" }),
    );
  });

  it("is not spoken twice when only the answer was lost", async () => {
    let cut = false;
    const server: FakeEdge = await edge({
      onMessage: (message, connection) => {
        if (message.type !== "text" || cut) return false;
        cut = true;
        connection.cut();
        // Heard all the same.
        for (const session of server.sessions.values()) session.answer(message);
        return true;
      },
    });
    const { client } = await connect({ url: server.url });
    const started: string[] = [];
    const utterance = client.speak(TEXT, { voice: "anna" });
    utterance.on("started", ({ voice }) => started.push(voice));
    expectSame((await heardOf(utterance)).pcm, humOf(TEXT).pcm);
    expect(textsOf(server.received)).toEqual([TEXT]);
    expect(started).toEqual(["anna"]);
  });

  it("is sent again whole when the server had named the utterance and then lost it", async () => {
    let named = 0;
    const server = await edge({
      // The first two are named, and nothing of them is kept.
      onMessage: (message, connection) => {
        if (named === 2) return false;
        if (message.type !== "text") return message.type === "stream_end";
        const number = ++named;
        const name = { utterance_id: `lost_${number}`, utterance: number, voice: "v", model: "m" };
        connection.send({ type: "utterance_started", ...name });
        if (number === 2) connection.cut();
        return true;
      },
    });
    const { client, states } = await connect({ url: server.url });
    const texts = [TEXT, "Bitte einsteigen."];
    const heard = await Promise.all(texts.map((text) => heardOf(client.speak(text))));
    for (const [i, { pcm }] of heard.entries()) expectSame(pcm, humOf(texts[i] ?? "").pcm);
    expect(textsOf(server.received)).toEqual([...texts, ...texts]);
    expect(states).toEqual(["reconnecting 0", "resumed"]);
  });

  it("is gathered while there is no connection", async () => {
    const server = await edge();
    const { client } = await connect({ url: server.url });
    let goOn = () => {};
    const away = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    async function* broken() {
      yield "Eins ";
      await away;
      yield "zwei ";
      yield "drei";
    }
    client.on("reconnecting", () => goOn());
    const utterance = client.speak(broken());
    await expect.poll(() => utterance.id).toBeDefined();
    server.disconnectAll();
    expectSame((await heardOf(utterance)).pcm, humOf("Eins zwei drei").pcm);
  });

  it("is bounded: longer than an utterance may be is an error", async () => {
    const { url } = await edge();
    const { client } = await connect({ url });
    const utterance = client.speak(Array(6).fill("x".repeat(8_000)));
    expect(await codeOf(utterance.finished)).toBe("capacity.text_too_long");
  });
});

describe("coming back", () => {
  it("ends when the window is over, with the reason", async () => {
    const server = await edge({ onMessage: ({ type }) => type === "stream_end" });
    const { client, states } = await connect({ url: server.url, resumeWindowMs: 300 });
    const utterance = client.speak([TEXT]);
    await expect.poll(() => utterance.id).toBeDefined();
    await server.close();
    expect(await codeOf(utterance.finished)).toBe("client.resume_timeout");
    expect(await client.closed).toMatchObject({ retryable: true, facts: { windowMs: 300 } });
    expect(client.state).toBe("closed");
    expect(states.length).toBeGreaterThan(0);
  });

  it("ends when the window is over, also when a server takes the connection and never answers", async () => {
    const server = await edge({ onMessage: ({ type }) => type === "stream_end" || type === "resume" });
    const { client } = await connect({ url: server.url, resumeWindowMs: 300 });
    const utterance = client.speak([TEXT]);
    await expect.poll(() => utterance.id).toBeDefined();
    server.disconnectAll();
    expect(await codeOf(utterance.finished)).toBe("client.resume_timeout");
  });

  it("ends at once when the session is unknown, or the server does not know of resuming", async () => {
    const server = await edge({ onMessage: ({ type }) => type === "stream_end" });
    const { client } = await connect({ url: server.url });
    const utterance = client.speak([TEXT]);
    await expect.poll(() => utterance.id).toBeDefined();
    server.sessions.clear();
    server.disconnectAll();
    expect(await codeOf(utterance.finished)).toBe("session.unknown");
  });

  it("never happens after a close code of 4500 or more, nor after a superseding connection", async () => {
    const server = await edge({ onMessage: ({ type }) => type === "stream_end" });
    const { client, states } = await connect({ url: server.url });
    server.disconnectAll(4510);
    expect((await client.closed).code).toBe("session.superseded");
    expect(states).toEqual([]);
  });

  it("is given up by close(), also while a new connection is awaited", async () => {
    const server = await edge();
    const { client } = await connect({ url: server.url });
    await server.close();
    await expect.poll(() => client.state).toBe("reconnecting");
    expect((await client.close()).code).toBe("client.closed");
    expect(client.state).toBe("closed");
  });

  it("says goodbye only when it is meant: a server keeps the session in all other cases", async () => {
    let deaf = true;
    const server = await edge({ onMessage: ({ type }) => type === "ping" && deaf });
    const { client, states } = await connect({ url: server.url, pingIntervalMs: 20, pongTimeoutMs: 20 });
    await expect.poll(() => states).toContain("resumed");
    deaf = false;
    await expect.poll(() => client.ping()).toBeDefined();
    expect(new Set(server.closed)).toEqual(new Set([4_000]));
    await client.close();
    await expect.poll(() => server.closed.at(-1)).toBe(1_000);
  });
});

describe("a server that goes away", () => {
  it("is left when it asks for it, for the next one, in the middle of the speech", async () => {
    const first = await edge({ onMessage: ({ type }) => type === "stream_end" });
    const second = await edge({ sessions: first.sessions });
    const { client, states } = await connect({ url: [first.url, second.url] });
    const utterance = client.speak([TEXT]);
    await expect.poll(() => utterance.id).toBeDefined();
    first.drain(1);
    await expect.poll(() => states).toEqual(["reconnecting 0", "resumed"]);
    // The end of the text, which the first had not heard, is what makes the second speak.
    expectSame((await heardOf(utterance)).pcm, humOf(TEXT).pcm);
    await expect.poll(() => first.connections).toBe(0);
    expect(first.closed).toEqual([4_000]);
  });

  it("is kept as long as no other is there to take the session", async () => {
    const only = await edge();
    const gone = await FakeEdge.start();
    await gone.close();
    let asked = 0;
    const url = () => (asked++ === 0 ? only.url : gone.url);
    const { client, states } = await connect({ url, resumeWindowMs: 500 });
    only.drain(1);
    await expect.poll(() => asked).toBeGreaterThan(2);
    expectSame((await heardOf(client.speak(TEXT))).pcm, humOf(TEXT).pcm);
    expect(client.state).toBe("open");
    // Sent away after all, it has the whole window; and then it is over.
    only.disconnectAll(4_001);
    expect((await client.closed).code).toBe("client.resume_timeout");
    expect(states[0]).toBe("reconnecting 0");
  });
});

describe("a splice", () => {
  const splice = { at: 24_000, from: 21_120 };

  it("replaces from its sample on, what has been given and what has not", async () => {
    const { url } = await edge({ troubles: { splice } });
    const { client } = await connect({ url });
    const utterance = client.speak([TEXT]);
    const { pcm, seams } = await heardOf(utterance);
    expectSame(pcm, splicedHumOf(TEXT, splice.from));
    expect(seams).toEqual([]);
    expect(await utterance.finished).toMatchObject({ splices: 1, samples: pcm.length });
  });

  it("to one who does not look at it repeats no more than the word being spoken", async () => {
    const { url } = await edge({ troubles: { splice } });
    const { client } = await connect({ url });
    let samples = 0;
    for await (const chunk of client.speak(TEXT)) samples += chunk.samples.length;
    expect(samples - humOf(TEXT).pcm.length).toBe(24_000 - splice.from);
  });

  it("while the connection is away goes back behind what had been received", async () => {
    const { url } = await edge({ troubles: { splice, cutAt: [24_000] } });
    const { client } = await connect({ url });
    expectSame((await heardOf(client.speak(TEXT))).pcm, splicedHumOf(TEXT, splice.from));
  });
});

describe("cancel", () => {
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
    const { url } = await edge();
    const { client } = await connect({ url });
    // Its words' times are not known here: only the server can tell.
    const utterance = client.speak(unfinished());
    await expect.poll(() => utterance.id).toBeDefined();
    utterance.reportPlayed(24_000);
    expect(utterance.heard.estimated).toBe(true);
    expect(await utterance.cancel()).toMatchObject({ outcome: "cancelled", playedSamples: 24_000, ...heard });
  });

  it("said while there is no connection reaches the server with the next", async () => {
    const server = await edge();
    const { client, states } = await connect({ url: server.url });
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

  it("of speech that has been received and is still being heard tells the same", async () => {
    const { url } = await edge();
    const { client } = await connect({ url });
    const utterance = client.speak(TEXT);
    await utterance.finished;
    utterance.reportPlayed(24_000);
    expect(await utterance.cancel()).toMatchObject({ outcome: "completed", ...heard });
  });
});
