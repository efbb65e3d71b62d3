import { afterEach, describe, expect, inject, onTestFinished, test } from "vitest";
import { ResumingTestClient } from "../../../testkit/clients/resuming-client.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { startTwoEdges, type TwoEdges } from "../../../testkit/fleet/two-edges.ts";
import { Gate } from "../../../testkit/ground/gate.ts";
import { Random } from "../../../testkit/ground/random.ts";

const TEXT = "Somebody walks into a tunnel in the middle of this sentence, and out of it again. ";
/** Less than a socket's buffers hold on this machine. */
const UNREAD = TEXT.repeat(20);
const nothing = { sessions: 0, utterances: 0, backgroundWork: 0 };

/** The worker's: passed freely for the first chunks of an utterance. */
const gate = new Gate();
let freeChunks = 0;
afterEach(() => gate.open());

function holdAfter(chunks: number): void {
  freeChunks = chunks;
  gate.close();
}

async function open(options: Partial<Parameters<typeof startTwoEdges>[0]> = {}): Promise<TwoEdges> {
  const edges = await startTwoEdges({
    redisUrl: inject("redisUrl"),
    ...options,
    // As much as workers store by default, so that the replay window is what it is there.
    worker: {
      beforeChunk: (_job, chunk) => (chunk < freeChunks ? undefined : gate.passed()),
      maxBytes: 512 * 1024,
      ...options.worker,
    },
  });
  onTestFinished(async () => {
    gate.open();
    await edges.close();
  });
  return edges;
}

/** Waits until the worker appends nothing more. @returns the samples it has appended */
async function standing({ runs }: TwoEdges["worker"]): Promise<number> {
  let before = -1;
  const stands = () => {
    const now = runs[0]?.appendedSamples ?? 0;
    const isStanding = now > 0 && now === before;
    before = now;
    return isStanding;
  };
  await expect.poll(stands, { interval: 200, timeout: 10_000 }).toBe(true);
  return before;
}

/** Speaks 1.7 MB to a client that does not read, which is cut when the network has taken what it takes. */
async function cutUnread({ urls, worker }: TwoEdges): Promise<ResumingTestClient> {
  const client = await ResumingTestClient.connect(urls[0]);
  holdAfter(1);
  speak(client, UNREAD);
  await client.until("the beginning", () => client.bytes > 0 || undefined);
  client.pause();
  gate.open();
  await standing(worker);
  client.cut();
  return client;
}

const speak = (client: ResumingTestClient, text: string) => {
  client.send({ type: "text", text });
  client.send({ type: "stream_end" });
};

describe("a client whose connection is cut", () => {
  test("at 60 random points, and comes back to another edge each time, gets the same samples, byte for byte", async () => {
    const { urls, edge, other, worker } = await open();
    const random = new Random(20_261_122);
    const texts = [TEXT.repeat(3), `${TEXT}Then again.`, TEXT.repeat(2)];
    const total = texts.reduce((sum, text) => sum + fakeSpeechOf(text).length, 0);
    const client = await ResumingTestClient.connect(urls[0]);
    for (const text of texts) speak(client, text);
    const cuts = Array.from({ length: 60 }, () => random.below(total)).sort((a, b) => a - b);
    let before = -1;
    for (const [i, cut] of cuts.entries()) {
      // What comes at once may be beyond several points: each cut waits until something came over its own connection.
      const isDue = () => client.bytes >= total || (client.bytes >= cut && client.bytes > before);
      await client.until(`byte ${cut}`, () => isDue() || undefined);
      before = client.bytes;
      client.cut();
      await client.resume(urls[(i + 1) % 2] ?? "");
    }
    for (const [i, text] of texts.entries()) {
      const { pcm, words, end } = await client.ended(i + 1);
      expect(pcm.equals(fakeSpeechOf(text))).toBe(true);
      expect(end).toMatchObject({ type: "stream_complete", samples: pcm.length / 2 });
      // A caption may come twice around a cut, but none is missing.
      expect(new Set(words)).toEqual(new Set(text.trim().split(/\s+/)));
    }
    expect(client.violations).toEqual([]);
    expect(worker.runs).toHaveLength(texts.length);
    const sorted = [...client.resumeMs].sort((a, b) => a - b);
    expect(sorted.length).toBeGreaterThan(20);
    // A poll would take a second; the bench has the true figures.
    expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThan(250);
    await client.close();
    await expect.poll(() => edge.counts()).toEqual(nothing);
    await expect.poll(() => other.counts()).toEqual(nothing);
  });

  test("with three utterances queued and a text still being typed, loses none and none of its text", async () => {
    const { urls } = await open();
    const client = await ResumingTestClient.connect(urls[0], { delivery: "paced", frame_samples: "480" });
    holdAfter(2);
    const texts = [TEXT, "The second one. ", "And a third. "];
    for (const text of texts) speak(client, text);
    const typed = "This one is being typed when it happens.";
    client.send({ type: "text", text: typed.slice(0, 9) });
    await client.until("audio", () => client.bytes > 0 || undefined);
    client.send({ type: "text", text: typed.slice(9, 20) });
    client.cut();
    await client.resume(urls[1]);
    const { connected } = client;
    expect(connected).toMatchObject({ resumed: true, delivery: "paced", frame_samples: 480, protocol: 1 });
    expect(connected.utterances.map((it) => [it.utterance, it.text_complete])).toEqual([
      [1, true],
      [2, true],
      [3, true],
      [4, false],
    ]);
    const held = connected.utterances[3]?.text_characters ?? 0;
    expect([9, 20]).toContain(held);
    gate.open();
    client.send({ type: "text", text: typed.slice(held) });
    client.send({ type: "stream_end" });
    for (const [i, text] of [...texts, typed].entries()) {
      expect((await client.ended(i + 1)).pcm.equals(fakeSpeechOf(text))).toBe(true);
    }
  });

  test("after the end has been sent is told it again, with what it had not read", async () => {
    const { urls, edge } = await open();
    const client = await ResumingTestClient.connect(urls[0]);
    speak(client, TEXT);
    await client.until("some audio", () => client.bytes > 30_000 || undefined);
    client.cut();
    await expect.poll(() => edge.counts().utterances).toBe(0);
    await client.resume(urls[1]);
    const first = await client.ended(1);
    expect(first.pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
    expect(first.end?.type).toBe("stream_complete");
    // Nothing is unfinished now; a client that comes back once more is told nothing it has.
    client.cut();
    await client.resume(urls[0]);
    expect(client.connected.utterances).toEqual([]);
    speak(client, "And on. ");
    expect((await client.ended(2)).pcm.equals(fakeSpeechOf("And on. "))).toBe(true);
  });

  test("is told of an utterance that failed while it was away", async () => {
    const { urls } = await open({
      worker: {
        outcomeOf: () => ({
          kind: "failed",
          code: "provider.truncated",
          message: "Cut off.",
          retryable: true,
        }),
      },
    });
    const client = await ResumingTestClient.connect(urls[0]);
    holdAfter(1);
    speak(client, TEXT);
    await client.until("audio", () => client.bytes > 0 || undefined);
    client.cut();
    gate.open();
    await client.resume(urls[1]);
    const { end, pcm } = await client.ended(1);
    expect(end).toMatchObject({ type: "error", code: "provider.truncated", utterance: 1 });
    expect(pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
  });

  test("while its worker waits for room, lets it go on where it stood", async () => {
    const { urls, worker } = await open({ worker: { maxBytes: 128 * 1024, chunkCharacters: 12 } });
    const client = await ResumingTestClient.connect(urls[0], { delivery: "paced" });
    const text = TEXT.repeat(4);
    speak(client, text);
    await client.until("audio", () => client.bytes > 0 || undefined);
    expect((await standing(worker)) * 2).toBeLessThan(fakeSpeechOf(text).length);
    client.cut();
    await client.resume(urls[1]);
    expect((await client.ended(1)).pcm.equals(fakeSpeechOf(text))).toBe(true);
  });

  test("having read nothing for long loses nothing of what the network was holding for it", async () => {
    const edges = await open();
    const client = await cutUnread(edges);
    await client.resume(edges.urls[1]);
    expect((await client.ended(1)).pcm.equals(fakeSpeechOf(UNREAD))).toBe(true);
  });

  test("and does not come back has everything ended when the window is over, at edges and worker", async () => {
    const { urls, edge, worker, redis, keys } = await open({ edge: { resumeWindowMs: 300 } });
    holdAfter(1);
    const client = await ResumingTestClient.connect(urls[0]);
    client.send({ type: "text", text: TEXT });
    await client.until("audio", () => client.bytes > 0 || undefined);
    client.cut();
    const live = async () =>
      (await (await fetch(new URL("/api/v1/live", edge.opsUrl))).json()) as {
        sessions: { items: { state: string }[] };
      };
    await expect.poll(async () => (await live()).sessions.items.map((it) => it.state)).toEqual(["detached"]);
    expect(worker.runs[0]?.state).toBe("running");
    gate.open();
    await expect.poll(() => worker.runs[0]?.state).toBe("cancelled");
    await expect.poll(async () => (await live()).sessions.items).toEqual([]);
    expect(await redis.keys(`${keys.prefix}:held-session:*`)).toEqual([]);
    await expect(client.resume(urls[1])).rejects.toThrow("refused with 4504 session.unknown");
  });

  test("finds its session ended where it had closed the connection itself", async () => {
    const { urls, edge } = await open();
    const client = await ResumingTestClient.connect(urls[0]);
    await client.close();
    await expect.poll(() => edge.counts()).toEqual(nothing);
    await expect(client.resume(urls[1])).rejects.toThrow("refused with 4504 session.unknown");
  });
});

describe("without its protection the same cut loses speech, and says so", () => {
  test("without a resume window the session ends with its connection", async () => {
    const { urls, worker } = await open({ edge: { resumeWindowMs: 0 } });
    const client = await ResumingTestClient.connect(urls[0]);
    holdAfter(2);
    speak(client, TEXT);
    await client.until("audio", () => client.bytes > 0 || undefined);
    client.cut();
    await expect(client.resume(urls[1])).rejects.toThrow("refused with 4504 session.unknown");
    gate.open();
    await expect.poll(() => worker.runs[0]?.state).toBe("cancelled");
    expect(client.received(1).pcm.length).toBeLessThan(fakeSpeechOf(TEXT).length);
  });

  test("where as much is handed over as the network takes, more is lost than is held", async () => {
    const edges = await open({ edge: { unconfirmedBytes: 0 } });
    const client = await cutUnread(edges);
    await client.resume(edges.urls[1]).catch(() => undefined);
    await client.until("the close", () => client.closeCode);
    expect(client.errors.at(-1)?.code).toBe("session.position_gone");
  });

  test("without a replay window what was on its way is gone, and the position with it", async () => {
    const { urls } = await open({ edge: { replayBytes: 0 }, worker: { maxBytes: 64 * 1024 } });
    const client = await ResumingTestClient.connect(urls[0]);
    speak(client, TEXT.repeat(3));
    await client.until("most of the audio", () => client.bytes > 200_000 || undefined);
    client.cut();
    const { resume_token } = client.connected;
    const { utteranceId } = client.received(1);
    // What it had received last never reached its player.
    const lost = { resume_token, utterance_id: utteranceId, sample: 1_000, seq: 1 };
    await client.resume(urls[1], lost).catch(() => undefined);
    await client.until("the close", () => client.closeCode);
    expect(client.closeCode).toBe(4505);
    expect(client.errors.at(-1)?.code).toBe("session.position_gone");
  });
});
