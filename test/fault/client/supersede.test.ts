import { once } from "node:events";
import { describe, expect, inject, onTestFinished, test, vi } from "vitest";
import { WebSocket } from "ws";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { ResumingTestClient } from "../../../testkit/clients/resuming-client.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { startTwoEdges, type TwoEdges } from "../../../testkit/fleet/two-edges.ts";
import { metric } from "../../../testkit/ground/metrics.ts";

const TEXT = "Nobody but its client may go on with a session, and only over one connection. ".repeat(2);
const nothing = { sessions: 0, utterances: 0, backgroundWork: 0 };

async function open(): Promise<TwoEdges> {
  const edges = await startTwoEdges({ redisUrl: inject("redisUrl") });
  onTestFinished(() => edges.close());
  return edges;
}

/** Opening the session's id is refused: at the upgrade where the edge knows it, else with a message and 4511. */
async function expectHeld(urls: readonly string[]): Promise<void> {
  for (const url of urls) {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/api/v1/stream?session_id=the-same-one`);
    const refused = await new Promise<string>((resolve, reject) => {
      socket.on("unexpected-response", (_request, response) => {
        response.setEncoding("utf8");
        response.on("data", (body: string) => resolve(`${response.statusCode} ${body}`));
      });
      socket.on("close", (code, reason) => resolve(`${code} ${reason}`));
      socket.on("error", reject);
    });
    expect(refused).toMatch(/^(409 .*"code":"session\.held"|4511 session\.held)/);
  }
}

/** Resumes with a client that answers no ping, as if nothing the edge says arrived, and is cut. */
async function loseTheAnswer(url: string, sessionId: string, resumeToken: string): Promise<void> {
  const query = new URLSearchParams({ session_id: sessionId, resume: "true" });
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/api/v1/stream?${query}`, { autoPong: false });
  await once(socket, "open");
  socket.send(JSON.stringify({ type: "resume", resume_token: resumeToken }));
  await once(socket, "message");
  socket.terminate();
}

describe("a session", () => {
  test("is not given to who has another token, and its client notices nothing", async () => {
    const { urls } = await open();
    const client = await ResumingTestClient.connect(urls[0], { delivery: "paced" });
    client.send({ type: "text", text: TEXT });
    client.send({ type: "stream_end" });
    await client.until("audio", () => client.bytes > 0 || undefined);
    for (const url of urls) {
      const thief = new ResumingTestClient();
      const { session_id, resume_token } = client.connected;
      thief.whenOpen(() => thief.send({ type: "resume", resume_token: "x".repeat(resume_token.length) }));
      await expect(thief.connect(url, { session_id, resume: "true" })).rejects.toThrow(
        "refused with 4502 authentication.invalid",
      );
    }
    expect((await client.ended(1)).pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
    expect(client.closeCode).toBeUndefined();
  });

  test("goes to its newest connection; the older one, still being spoken to, is closed with 4510", async () => {
    const { urls, edge, other } = await open();
    const older = await ResumingTestClient.connect(urls[0], { delivery: "paced" });
    older.send({ type: "text", text: TEXT });
    older.send({ type: "stream_end" });
    await older.until("audio", () => older.bytes > 30_000 || undefined);
    const had = older.received(1);
    const newer = await ResumingTestClient.follow(older, urls[1]);
    await older.until("the close", () => older.closeCode);
    expect(older.closeCode).toBe(4510);
    expect(older.errors.at(-1)?.code).toBe("session.superseded");
    const { pcm, end } = await newer.ended(1);
    expect(Buffer.concat([had.pcm, pcm]).equals(fakeSpeechOf(TEXT))).toBe(true);
    expect(end?.type).toBe("stream_complete");
    await expect.poll(() => edge.counts()).toEqual(nothing);
    expect(other.counts().sessions).toBe(1);
  });

  test("goes to one of many connections that race for it; all others are told", async () => {
    const { urls, edge, other } = await open();
    const first = await ResumingTestClient.connect(urls[0], { delivery: "paced" });
    first.send({ type: "text", text: TEXT });
    first.send({ type: "stream_end" });
    await first.until("audio", () => first.bytes > 20_000 || undefined);
    first.cut();
    const had = first.received(1);
    const racing = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        ResumingTestClient.follow(first, urls[i % 2] ?? "").catch((error: unknown) => String(error)),
      ),
    );
    const came = racing.filter((it) => typeof it !== "string");
    expect(came.length).toBeGreaterThan(0);
    // Those that come once the winner has its new token show one that is spent.
    for (const it of racing)
      if (typeof it === "string") expect(it).toMatch(/4510 session.superseded|4502 auth/);
    await expect.poll(() => edge.counts().sessions + other.counts().sessions).toBe(1);
    await expect.poll(() => came.filter((it) => it.closeCode === undefined).length).toBe(1);
    const winner = came.find((it) => it.closeCode === undefined);
    expect(came.filter((it) => it !== winner).map((it) => it.closeCode)).toEqual(
      new Array(came.length - 1).fill(4510),
    );
    const { pcm } = (await winner?.ended(1)) ?? { pcm: Buffer.alloc(0) };
    expect(Buffer.concat([had.pcm, pcm]).equals(fakeSpeechOf(TEXT))).toBe(true);
  });

  test("is not opened again under its id, on any edge, attached or detached; its client notices nothing", async () => {
    const { urls } = await open();
    const client = await ResumingTestClient.connect(urls[0], {
      delivery: "paced",
      session_id: "the-same-one",
    });
    client.send({ type: "text", text: TEXT });
    client.send({ type: "stream_end" });
    await client.until("audio", () => client.bytes > 0 || undefined);
    await expectHeld(urls);
    client.cut();
    await expectHeld(urls);
    await client.resume(urls[1]);
    await expectHeld(urls);
    expect((await client.ended(1)).pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
    expect(client.closeCode).toBeUndefined();
  });

  test("is opened under its id again once its client has closed it", async () => {
    const { urls } = await open();
    const first = await NativeClient.connect(urls[0], { session_id: "the-same-one" });
    await first.close();
    const next = await vi.waitFor(() => NativeClient.connect(urls[1], { session_id: "the-same-one" }));
    expect(next.connected).toMatchObject({ resumed: false, utterances: [] });
    await next.close();
  });

  test("that ends with its connection is held, too, as long as that lasts", async () => {
    const edges = await startTwoEdges({ redisUrl: inject("redisUrl"), edge: { resumeWindowMs: 0 } });
    onTestFinished(() => edges.close());
    const client = await NativeClient.connect(edges.urls[0], { session_id: "the-same-one" });
    await expectHeld(edges.urls);
    expect((await client.speak("I am here.")).number).toBe(1);
    await client.close();
  });

  test("would, were its id not held in Redis, be opened by anyone who knows it, and taken from its client", async () => {
    const edges = await open();
    const client = await NativeClient.connect(edges.urls[0], { session_id: "the-same-one" });
    await edges.redis.del(edges.keys.heldSession("the-same-one"));
    const thief = await NativeClient.connect(edges.urls[1], { session_id: "the-same-one" });
    await client.speak("I am here.").catch(() => undefined);
    expect(await client.closed).toEqual({ code: 4510, reason: "session.superseded" });
    await thief.close();
  });

  test("is given a new token at each resume, and the older one then works no more", async () => {
    const { urls } = await open();
    const client = await ResumingTestClient.connect(urls[0]);
    const [first] = [client.connected];
    client.cut();
    await client.resume(urls[1]);
    expect(client.connected.resume_token).not.toBe(first.resume_token);
    for (const url of urls) {
      const thief = new ResumingTestClient();
      const { session_id, resume_token } = first;
      await vi.waitFor(async () => {
        thief.whenOpen(() => thief.send({ type: "resume", resume_token }));
        await expect(thief.connect(url, { session_id, resume: "true" })).rejects.toThrow(
          "refused with 4502 authentication.invalid",
        );
      });
    }
    expect(client.closeCode).toBeUndefined();
    client.cut();
    await client.resume(urls[0]);
  });

  test("goes on with its older token where the answer with the new one never arrived", async () => {
    const { urls } = await open();
    const client = await ResumingTestClient.connect(urls[0]);
    client.send({ type: "text", text: TEXT, end: true });
    await client.until("audio", () => client.bytes > 0 || undefined);
    client.cut();
    const { session_id, resume_token } = client.connected;
    await loseTheAnswer(urls[1], session_id, resume_token);
    await client.resume(urls[0]);
    expect((await client.ended(1)).pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
  });

  test("is guessed at in vain: wrong tokens in a loop are counted, and its client hears every sample in time", async () => {
    const { urls, edge } = await open();
    const client = await ResumingTestClient.connect(urls[0], { delivery: "paced" });
    client.send({ type: "text", text: TEXT, end: true });
    await client.until("audio", () => client.bytes > 0 || undefined);
    const { session_id, resume_token } = client.connected;
    const guess = async (url: string, number: number) => {
      const thief = new ResumingTestClient();
      thief.whenOpen(() => thief.send({ type: "resume", resume_token: `${number}`.padStart(43, "x") }));
      const query = { session_id, resume: "true" };
      await expect(thief.connect(url, query)).rejects.toThrow("authentication.invalid");
    };
    for (let i = 0; i < 100; i += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, j) => guess(urls[j % 2] ?? "", i + j)));
    }
    const counted = await metric(edge.opsUrl, "tts_edge_resumes_total");
    expect(counted).toBeGreaterThanOrEqual(50);
    expect((await client.ended(1)).pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
    expect([client.closeCode, client.connected.resume_token]).toEqual([undefined, resume_token]);
  });

  test.each([
    ["says something else first", (client: ResumingTestClient) => client.send({ type: "ping" }), 4501],
    [
      "knows no session of that id",
      (client: ResumingTestClient) => client.send({ type: "resume", resume_token: "x".repeat(43) }),
      4504,
    ],
  ])("is refused to a connection that %s", async (_name, say, code) => {
    const { urls, edge } = await open();
    const client = new ResumingTestClient();
    client.whenOpen(() => say(client));
    await expect(client.connect(urls[0], { session_id: "no-such-session", resume: "true" })).rejects.toThrow(
      `refused with ${code}`,
    );
    expect(edge.counts()).toEqual(nothing);
  });

  test("is told that a position is gone which it can't have had", async () => {
    const { urls } = await open();
    const client = await ResumingTestClient.connect(urls[0]);
    client.send({ type: "text", text: "Short." });
    await client.until("audio", () => client.bytes > 0 || undefined);
    client.cut();
    await expect(client.resume(urls[1], { utterance_id: "utt_of_nobody", sample: 5 })).rejects.toThrow(
      "refused with 4505 session.position_gone",
    );
  });
});
