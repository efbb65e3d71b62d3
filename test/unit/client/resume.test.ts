import { describe, expect, it, vi } from "vitest";
import { FakeEdge } from "../../../testkit/fleet/fake-edge.ts";
import { humOf } from "../../../testkit/speech/hum.ts";
import { codeOf, expectSame, heardOf, openClient, openEdge, TEXT } from "./client-fixture.ts";

// Each connection made anew takes its time on a busy machine.
vi.setConfig({ testTimeout: 20_000 });

describe("a connection that is cut", () => {
  it("is replaced, and the speech goes on at the very sample: nothing missing, nothing twice", async () => {
    const { url } = await openEdge({ troubles: { cutAt: [960, 20_000, 20_000, 47_040] } });
    const { client, states } = await openClient({ url });
    const { pcm, seams } = await heardOf(client.speak(TEXT));
    expectSame(pcm, humOf(TEXT).pcm);
    expect(seams).toEqual([]);
    expect(states.filter((state) => state === "resumed")).toHaveLength(4);
    expect(states.filter((state) => state !== "resumed")).toEqual(Array(4).fill("reconnecting 0"));
  });

  it("is the end where sessions are not to be resumed: the same cut loses the rest", async () => {
    const { url } = await openEdge({ troubles: { cutAt: [20_000] } });
    const { client } = await openClient({ url, resumeWindowMs: 0 });
    const utterance = client.speak(TEXT);
    expect(await codeOf(utterance.finished)).toBe("client.disconnected");
    expect(utterance.receivedSamples).toBeLessThan(humOf(TEXT).pcm.length);
  });

  it("is replaced by the next server of the list, which knows the session", async () => {
    const first = await openEdge({ troubles: { cutAt: [20_000] } });
    const second = await openEdge({ sessions: first.sessions });
    const { client } = await openClient({ url: [first.url, second.url] });
    const speaking = heardOf(client.speak(TEXT));
    const { pcm } = await speaking;
    expectSame(pcm, humOf(TEXT).pcm);
    expect([first.connections, second.connections]).toEqual([0, 1]);
  });

  it("or by the one that a function names", async () => {
    const servers = [await openEdge({ troubles: { cutAt: [20_000] } })];
    const { client } = await openClient({ url: () => servers.at(-1)?.url ?? "" });
    servers.push(await openEdge({ sessions: servers[0]?.sessions ?? new Map() }));
    expectSame((await heardOf(client.speak(TEXT))).pcm, humOf(TEXT).pcm);
    expect(servers[1]?.connections).toBe(1);
  });

  it("loses no utterance that waits behind the one being spoken", async () => {
    const { url } = await openEdge({ troubles: { cutAt: [20_000, 20_000, 30_000] } });
    const { client } = await openClient({ url });
    const texts = [TEXT, "Bitte einsteigen, die Türen schließen.", "Gute Reise und auf Wiedersehen."];
    const heard = await Promise.all(texts.map((text) => heardOf(client.speak(text))));
    for (const [i, { pcm }] of heard.entries()) expectSame(pcm, humOf(texts[i] ?? "").pcm);
  });
});

describe("coming back", () => {
  it("ends when the window is over, with the reason", async () => {
    const server = await openEdge({ onMessage: ({ type }) => type === "stream_end" });
    const { client, states } = await openClient({ url: server.url, resumeWindowMs: 300 });
    const utterance = client.speak([TEXT]);
    await expect.poll(() => utterance.id).toBeDefined();
    await server.close();
    expect(await codeOf(utterance.finished)).toBe("client.resume_timeout");
    expect(await client.closed).toMatchObject({ retryable: true, facts: { windowMs: 300 } });
    expect(client.state).toBe("closed");
    expect(states.length).toBeGreaterThan(0);
  });

  it("ends when the window is over, also when a server takes the connection and never answers", async () => {
    const server = await openEdge({ onMessage: ({ type }) => type === "stream_end" || type === "resume" });
    const { client } = await openClient({ url: server.url, resumeWindowMs: 300 });
    const utterance = client.speak([TEXT]);
    await expect.poll(() => utterance.id).toBeDefined();
    server.disconnectAll();
    expect(await codeOf(utterance.finished)).toBe("client.resume_timeout");
  });

  it("ends at once when the session is unknown, or the server does not know of resuming", async () => {
    const server = await openEdge({ onMessage: ({ type }) => type === "stream_end" });
    const { client } = await openClient({ url: server.url });
    const utterance = client.speak([TEXT]);
    await expect.poll(() => utterance.id).toBeDefined();
    server.sessions.clear();
    server.disconnectAll();
    expect(await codeOf(utterance.finished)).toBe("session.unknown");
  });

  it("never happens after a close code of 4500 or more, nor after a superseding connection", async () => {
    const server = await openEdge({ onMessage: ({ type }) => type === "stream_end" });
    const { client, states } = await openClient({ url: server.url });
    server.disconnectAll(4510);
    expect((await client.closed).code).toBe("session.superseded");
    expect(states).toEqual([]);
  });

  it("is given up by close(), also while a new connection is awaited", async () => {
    const server = await openEdge();
    const { client } = await openClient({ url: server.url });
    await server.close();
    await expect.poll(() => client.state).toBe("reconnecting");
    expect((await client.close()).code).toBe("client.closed");
    expect(client.state).toBe("closed");
  });

  it("says goodbye only when it is meant: a server keeps the session in all other cases", async () => {
    let deaf = true;
    const server = await openEdge({ onMessage: ({ type }) => type === "ping" && deaf });
    const { client, states } = await openClient({ url: server.url, pingIntervalMs: 20, pongTimeoutMs: 20 });
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
    const first = await openEdge({ onMessage: ({ type }) => type === "stream_end" });
    const second = await openEdge({ sessions: first.sessions });
    const { client, states } = await openClient({ url: [first.url, second.url] });
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
    const only = await openEdge();
    const gone = await FakeEdge.start();
    await gone.close();
    let asked = 0;
    const url = () => (asked++ === 0 ? only.url : gone.url);
    const { client, states } = await openClient({ url, resumeWindowMs: 500 });
    only.drain(1);
    await expect.poll(() => asked).toBeGreaterThan(2);
    expectSame((await heardOf(client.speak(TEXT))).pcm, humOf(TEXT).pcm);
    expect(client.state).toBe("open");
    // A session that is sent away after all has the whole window, and then it is over.
    only.disconnectAll(4_001);
    expect((await client.closed).code).toBe("client.resume_timeout");
    expect(states[0]).toBe("reconnecting 0");
  });
});
