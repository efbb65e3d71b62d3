import { describe, expect, inject, onTestFinished, test } from "vitest";
import { fakeSpeechOf } from "../../harness/fake-worker.ts";
import { NativeClient } from "../../harness/native-client.ts";
import { ResumingTestClient } from "../../harness/resuming-client.ts";
import { startTwoEdges, type TwoEdges } from "../../harness/two-edges.ts";

const TEXT = "Nobody but its client may go on with a session, and only over one connection. ".repeat(2);
const nothing = { sessions: 0, utterances: 0, backgroundWork: 0 };

async function open(): Promise<TwoEdges> {
  const edges = await startTwoEdges({ redisUrl: inject("redisUrl") });
  onTestFinished(() => edges.close());
  return edges;
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
    for (const it of racing) if (typeof it === "string") expect(it).toContain("4510 session.superseded");
    await expect.poll(() => edge.counts().sessions + other.counts().sessions).toBe(1);
    await expect.poll(() => came.filter((it) => it.closeCode === undefined).length).toBe(1);
    const winner = came.find((it) => it.closeCode === undefined);
    expect(came.filter((it) => it !== winner).map((it) => it.closeCode)).toEqual(
      new Array(came.length - 1).fill(4510),
    );
    const { pcm } = (await winner?.ended(1)) ?? { pcm: Buffer.alloc(0) };
    expect(Buffer.concat([had.pcm, pcm]).equals(fakeSpeechOf(TEXT))).toBe(true);
  });

  test("opened again under its id, elsewhere and without its token, begins anew and ends the older connection", async () => {
    const { urls, edge } = await open();
    const older = await NativeClient.connect(urls[0], { session_id: "the-same-one" });
    const newer = await NativeClient.connect(urls[1], { session_id: "the-same-one" });
    expect(newer.connected).toMatchObject({ resumed: false, utterances: [] });
    expect(newer.connected.resume_token).not.toBe(older.connected.resume_token);
    expect(await older.closed).toEqual({ code: 4510, reason: "session.superseded" });
    expect((await newer.speak("I am here.")).number).toBe(1);
    await expect.poll(() => edge.counts()).toEqual(nothing);
    await newer.close();
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
