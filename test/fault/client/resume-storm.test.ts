import { describe, expect, inject, onTestFinished, test } from "vitest";
import { ResumingTestClient } from "../../../testkit/clients/resuming-client.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { startTwoEdges, type TwoEdges } from "../../../testkit/fleet/two-edges.ts";

const TEXT = "However many connections ask for this at once, one of them gets it, and all of it. ".repeat(4);
const AT_ONCE = 30;
const ROUNDS = 20;

async function open(): Promise<TwoEdges> {
  const edges = await startTwoEdges({ redisUrl: inject("redisUrl") });
  onTestFinished(() => edges.close());
  return edges;
}

/** A session that has heard the beginning of an utterance whose text is still open. */
async function beginAt(url: string): Promise<ResumingTestClient> {
  const client = await ResumingTestClient.connect(url, { delivery: "paced" });
  client.send({ type: "text", text: TEXT });
  await client.until("audio", () => client.bytes > 10_000 || undefined);
  return client;
}

/** What became of each of `AT_ONCE` connections that resume the session of `older`, in turn at `urls`. */
async function storm(older: ResumingTestClient, urls: readonly string[]) {
  const outcomes = await Promise.all(
    Array.from({ length: AT_ONCE }, async (_, i) => {
      try {
        return await ResumingTestClient.follow(older, urls[i % urls.length] ?? "");
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    }),
  );
  const came = outcomes.filter((it) => typeof it !== "string");
  onTestFinished(() => {
    for (const it of came) it.cut();
  });
  return { came, refusals: outcomes.filter((it) => typeof it === "string") };
}

/** The one that keeps its connection, once all others have been told. */
async function winnerOf(came: readonly ResumingTestClient[]): Promise<ResumingTestClient> {
  await expect.poll(() => came.filter((it) => it.closeCode === undefined).length, { timeout: 5_000 }).toBe(1);
  const [winner] = came.filter((it) => it.closeCode === undefined);
  if (winner === undefined) throw new Error("nobody has won");
  return winner;
}

/** The rest of what `winner` is spoken, held against the truth. */
async function hearTheRest(winner: ResumingTestClient, had: number): Promise<void> {
  const whole = fakeSpeechOf(TEXT);
  winner.send({ type: "stream_end" });
  const { pcm, end } = await winner.ended(1);
  expect(end?.type).toBe("stream_complete");
  expect(pcm.length).toBeGreaterThanOrEqual(whole.length - had);
  expect(pcm.equals(whole.subarray(whole.length - pcm.length))).toBe(true);
  await winner.close();
}

describe(`of ${AT_ONCE} connections that resume one session at once`, () => {
  test.each([
    ["at one edge", 1, true],
    ["over two edges", 2, true],
    ["over two edges, while the first connection is still there", 2, false],
  ] as const)(
    "exactly one goes on with it, and all others are superseded: %s",
    async (_where, edges, isCut) => {
      const { urls } = await open();
      const rests: Promise<void>[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const first = await beginAt(urls[0]);
        if (isCut) first.cut();
        const { came, refusals } = await storm(first, urls.slice(0, edges));
        // A token that its client has is spent: one who comes with the older one later than that is told so.
        for (const refusal of refusals) {
          expect(refusal).toMatch(/refused with (4510 session\.superseded|4502 authentication\.invalid)/);
        }
        const winner = await winnerOf(came);
        for (const it of came) if (it !== winner) expect(it.closeCode).toBe(4510);
        rests.push(hearTheRest(winner, first.received(1).pcm.length));
      }
      await Promise.all(rests);
    },
    180_000,
  );
});

test("200 sessions that are resumed at once all go on, byte for byte", async () => {
  const { urls } = await open();
  const clients = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      ResumingTestClient.connect(urls[i % 2] ?? "", { delivery: "paced" }),
    ),
  );
  const text = "One of many, and all of them together.";
  for (const client of clients) client.send({ type: "text", text });
  await Promise.all(
    clients.map((client) => client.until("audio", () => client.bytes > 0 || undefined, 30_000)),
  );
  for (const client of clients) client.cut();
  await Promise.all(clients.map((client, i) => client.resume(urls[(i + 1) % 2] ?? "")));
  for (const client of clients) client.send({ type: "stream_end" });
  const spoken = await Promise.all(clients.map((client) => client.ended(1)));
  for (const { pcm, end } of spoken) {
    expect(end?.type).toBe("stream_complete");
    expect(pcm.equals(fakeSpeechOf(text))).toBe(true);
  }
}, 120_000);
