import { afterEach, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { startSystem } from "../../../testkit/fleet/system.ts";

const TEXT =
  "The worker that began this sentence is sent home in the middle of it. Another takes the page from its hand, " +
  "finds the very word, and reads on to the end, as if nothing at all had happened in between.";
/** Without handing over, others would first have to wait for the lock of 1.5 s to run out, and for the next look. */
const HANDOVER_LIMIT_MS = 1_200;

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

test("a worker that leaves in mid-utterance hands it to another at once, and no word is lost", async () => {
  const system = await startSystem({
    redisUrl: inject("redisUrl"),
    workers: 2,
    // A handover is no continuation.
    worker: { drainMs: 0, continuationsMax: 0 },
    // Slower than real time is heard, so that the utterance lasts.
    simulator: { generationSpeed: 3 },
  });
  closers.push(() => system.close());
  const client = await NativeClient.connect(system.url, {}, { limitMs: 20_000 });
  closers.push(() => client.terminate());
  const speaking = client.speak(TEXT);
  await client.until("the beginning", () => (client.received(1).samples > 24_000 ? true : undefined));
  const { utterances } = (await (await fetch(new URL("/api/v1/live", system.opsUrl))).json()) as {
    utterances: { items: { worker: string | null }[] };
  };
  const speaker = system.workers.find(({ nodeId }) => nodeId === utterances.items[0]?.worker);
  if (speaker === undefined) throw new Error("nobody speaks any more");
  const leftAtMs = performance.now();
  await speaker.close();
  const spoken = await speaking;
  expect(spoken.end.type).toBe("stream_complete");
  expect(spoken.splices).toHaveLength(1);
  expect(spoken.words.map((it) => it.text).join(" ")).toBe(TEXT);
  const [first] = spoken.frames.filter(
    (it) => it.atMs > leftAtMs && it.firstSample >= (spoken.splices[0]?.firstSample ?? 0),
  );
  expect((first?.atMs ?? Number.POSITIVE_INFINITY) - leftAtMs).toBeLessThan(HANDOVER_LIMIT_MS);
});
