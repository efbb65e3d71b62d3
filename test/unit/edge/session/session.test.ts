import { GatewayError } from "@tts-labs/protocol/errors";
import { afterEach, expect, test } from "vitest";
import { fakeSpeechOf } from "../../../../testkit/fleet/fake-worker.ts";
import { openMemoryGround } from "./memory-ground.ts";

let ground: ReturnType<typeof openMemoryGround> | undefined;
const open: typeof openMemoryGround = (options) => {
  ground = openMemoryGround(options);
  return ground;
};
afterEach(() => ground?.close());

const TEXT = "Good morning, all of you.";

test("a text is spoken to its last sample, with its words, and ends as completed", async () => {
  const { connect, summaries } = open();
  const { session, heard } = connect();
  session.text(TEXT, {}, true);
  await expect.poll(() => heard()[0]?.end).toBeDefined();
  const [spoken] = heard();
  expect(spoken?.pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
  expect(spoken?.words).toBe(TEXT);
  expect(spoken?.end).toMatchObject({
    kind: "completed",
    samples: fakeSpeechOf(TEXT).length / 2,
    characters: TEXT.length,
  });
  expect(summaries).toMatchObject([{ outcome: "completed", characters: TEXT.length }]);
  expect(session.unfinished).toBe(0);
});

test("text that comes in pieces is one utterance, and another one only begins after its end", async () => {
  const { connect } = open();
  const { session, heard } = connect();
  for (const piece of TEXT.match(/.{1,4}/g) ?? []) session.text(piece, {});
  session.flush();
  session.endText();
  session.text("And good night.", {}, true);
  await expect.poll(() => heard()[1]?.end?.kind).toBe("completed");
  expect(heard().map(({ number, pcm }) => ({ number, bytes: pcm.length }))).toEqual([
    { number: 1, bytes: fakeSpeechOf(TEXT).length },
    { number: 2, bytes: fakeSpeechOf("And good night.").length },
  ]);
});

test("a later utterance is made at once and is read only when the one before has been read", async () => {
  const { connect, worker } = open();
  const client = connect();
  client.session.text("First.", {});
  client.session.endText();
  client.session.text("Second.", {}, true);
  const [first, second] = client.session.utterances;
  expect([first?.record?.state, second?.record?.state]).toEqual(["queued", "queued"]);
  await expect.poll(() => worker.runs.length).toBe(2);
  await expect.poll(() => client.session.unfinished).toBe(0);
  expect(client.heard().map(({ end }) => end?.kind)).toEqual(["completed", "completed"]);
});

test("the live view is shown each state once, and nothing of an ended utterance", async () => {
  const { connect, shown } = open();
  const { session } = connect();
  session.text(TEXT, {}, true);
  await expect.poll(() => shown.at(-1)).toBe("removed");
  expect(shown).toEqual(["queued", "speaking", "delivering", "removed"]);
});

test("what a client that does not read is cancelled of is not sent when it reads again", async () => {
  const { connect, summaries } = open();
  const client = connect();
  client.reads = false;
  client.session.text(TEXT, {}, true);
  const [utterance] = client.session.utterances;
  await expect.poll(() => utterance?.record?.state).toBe("delivering");
  expect(client.session.cancel(undefined)).toMatchObject([{ heard: { sentSamples: 0, textLeft: TEXT } }]);
  client.reads = true;
  client.resume();
  expect(client.heard()).toEqual([]);
  expect(summaries).toMatchObject([{ outcome: "cancelled", code: "cancelled.by_client" }]);
  expect(() => client.session.cancel(undefined)).toThrow(
    expect.objectContaining({ code: "protocol.wrong_state" }),
  );
});

test("an utterance that fails is told so after the audio that came before, and the next one is spoken", async () => {
  const { connect } = open({
    chunkCharacters: 5,
    beforeChunk: (_, chunk) => {
      if (chunk === 2) throw new GatewayError("provider.connect_timeout");
    },
  });
  const { session, heard } = connect();
  session.text(TEXT, {}, true);
  session.text("Short", {}, true);
  await expect.poll(() => heard()[1]?.end?.kind).toBe("completed");
  const [failed] = heard();
  expect(failed?.end).toMatchObject({ kind: "failed", error: { code: "provider.connect_timeout" } });
  expect(failed?.pcm.equals(fakeSpeechOf(TEXT.slice(0, 10)))).toBe(true);
});

test("without a worker an utterance fails with worker.unavailable once the time for one is over", async () => {
  const { connect, summaries } = open({ hasWorker: false, pickupTimeoutMs: 50 });
  const { session, heard } = connect();
  session.text(TEXT, {}, true);
  await expect
    .poll(() => heard()[0]?.end)
    .toMatchObject({ kind: "failed", error: { code: "worker.unavailable" } });
  expect(summaries).toMatchObject([{ outcome: "failed", code: "worker.unavailable", samples: 0 }]);
});

test("a closed session cancels what is unfinished, says nothing more, and takes nothing more", async () => {
  const { connect, summaries, background } = open({ hasWorker: false });
  const { session, heard } = connect();
  session.text(TEXT, {}, true);
  session.close(new GatewayError("cancelled.client_gone"));
  session.close(new GatewayError("cancelled.client_gone"));
  expect(session.text("More.", {}, true)).toBeUndefined();
  await expect.poll(() => background.pending).toBe(0);
  expect(heard()).toEqual([]);
  expect(summaries).toMatchObject([{ outcome: "cancelled", code: "cancelled.client_gone" }]);
});

test("two sessions that say the same at the same time are spoken once", async () => {
  const { connect, worker } = open({
    caches: true,
    beforeChunk: () => new Promise((done) => setImmediate(done)),
  });
  const clients = [connect(), connect()];
  for (const { session } of clients) session.text(TEXT, {}, true);
  for (const { heard } of clients) await expect.poll(() => heard()[0]?.end?.kind).toBe("completed");
  expect(worker.runs).toHaveLength(1);
  const uses = clients.map(({ heard }) => heard()[0]?.end);
  expect(uses).toMatchObject([{ cache: "miss" }, { cache: "joined" }]);
  for (const { heard } of clients) expect(heard()[0]?.pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
});
