import { describe, expect, it, vi } from "vitest";
import type { FakeEdge, FakeEdgeOptions } from "../../../testkit/fleet/fake-edge.ts";
import { humOf } from "../../../testkit/speech/hum.ts";
import { codeOf, expectSame, heardOf, openClient, openEdge, TEXT, textsOf } from "./client-fixture.ts";

// Each connection made anew takes its time on a busy machine.
vi.setConfig({ testTimeout: 20_000 });

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
    const server = await openEdge(losing(3));
    const { client } = await openClient({ url: server.url });
    const { pcm } = await heardOf(client.speak(tokens()));
    expectSame(pcm, humOf("Der Zug nach Köln fährt gleich.").pcm);
    expect(textsOf(server.received)).toEqual(["Der Zug ", "nach Köln ", "fährt ", "fährt gleich."]);
  });

  it("is sent again whole, with its options, when it was to open the utterance", async () => {
    const server = await openEdge(losing(1));
    const { client } = await openClient({ url: server.url });
    const { pcm } = await heardOf(client.speak(TEXT, { voice: "anna" }));
    expectSame(pcm, humOf(TEXT).pcm);
    expect(server.received.filter(({ type }) => type === "text")).toEqual(
      Array(2).fill({ type: "text", text: TEXT, end: true, voice: "anna" }),
    );
  });

  it("is not spoken twice when only the answer was lost", async () => {
    let cut = false;
    const server: FakeEdge = await openEdge({
      onMessage: (message, connection) => {
        if (message.type !== "text" || cut) return false;
        cut = true;
        connection.cut();
        // It is heard all the same.
        for (const session of server.sessions.values()) session.answer(message);
        return true;
      },
    });
    const { client } = await openClient({ url: server.url });
    const started: string[] = [];
    const utterance = client.speak(TEXT, { voice: "anna" });
    utterance.on("started", ({ voice }) => started.push(voice));
    expectSame((await heardOf(utterance)).pcm, humOf(TEXT).pcm);
    expect(textsOf(server.received)).toEqual([TEXT]);
    expect(started).toEqual(["anna"]);
  });

  it("is sent again whole when the server had named the utterance and then lost it", async () => {
    let named = 0;
    const server = await openEdge({
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
    const { client, states } = await openClient({ url: server.url });
    const texts = [TEXT, "Bitte einsteigen."];
    const heard = await Promise.all(texts.map((text) => heardOf(client.speak(text))));
    for (const [i, { pcm }] of heard.entries()) expectSame(pcm, humOf(texts[i] ?? "").pcm);
    expect(textsOf(server.received)).toEqual([...texts, ...texts]);
    expect(states).toEqual(["reconnecting 0", "resumed"]);
  });

  it("is gathered while there is no connection", async () => {
    const server = await openEdge();
    const { client } = await openClient({ url: server.url });
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
    const { url } = await openEdge();
    const { client } = await openClient({ url });
    const utterance = client.speak(Array(6).fill("x".repeat(8_000)));
    expect(await codeOf(utterance.finished)).toBe("capacity.text_too_long");
  });
});
