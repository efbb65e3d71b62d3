import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import type { SpokenUtterance } from "../../../testkit/clients/received-speech.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";
import { ChaosProxy } from "../../../testkit/redis/chaos-proxy.ts";

const TEXT =
  "The further away I am, the smaller are the pieces that come to me, and not one sample is missing.";

let alone: EdgeAlone;
let proxy: ChaosProxy;
const clients: NativeClient[] = [];
beforeAll(async () => {
  alone = await startEdgeAlone({ redisUrl: inject("redisUrl") });
  proxy = await new ChaosProxy().open(alone.edge.port);
});
afterEach(async () => {
  proxy.delayMs = 0;
  for (const client of clients.splice(0)) await client.close();
});
afterAll(async () => {
  await proxy.close();
  await alone.close();
});

const connect = async (query: Record<string, string | number> = {}) => {
  const client = await NativeClient.connect(`http://127.0.0.1:${proxy.port}`, query);
  clients.push(client);
  return client;
};
/** Samples of all frames but the last. */
const sizesOf = ({ frames }: SpokenUtterance) => [
  ...new Set(frames.filter((it) => !it.last).map((it) => it.samples)),
];

describe("the frames of a client", () => {
  test.each([
    [0, 1_920],
    [35, 960],
    [90, 480],
    [180, 240],
  ])("with %i ms each way between us have %i samples, and lose none", async (delayMs, samples) => {
    proxy.delayMs = delayMs;
    const client = await connect();
    expect(client.connected).toMatchObject({ adaptive_frames: true, frame_samples: 960 });
    // Its first round trip is measured beside this one.
    await client.speak("Hello.");
    const spoken = await client.speak(TEXT);
    expect(spoken.pcm.equals(fakeSpeechOf(TEXT))).toBe(true);
    expect(sizesOf(spoken)).toEqual([samples]);
  });

  test.each([
    [{ frame_samples: 500 }, 500],
    [{ adaptive: "false" }, 960],
  ])("keep their size where the client asks so: %j", async (query, samples) => {
    proxy.delayMs = 35;
    const client = await connect(query);
    expect(client.connected).toMatchObject({ adaptive_frames: false, frame_samples: samples });
    await client.speak("Hello.");
    expect(sizesOf(await client.speak(TEXT))).toEqual([samples]);
  });

  test("change it within an utterance, only between frames, when the way grows longer", async () => {
    const client = await connect({ delivery: "paced", adaptive: "true" });
    const long = TEXT.repeat(4);
    await client.speak("Hello.");
    const speaking = client.speak(long);
    await client.until("the beginning", () => (client.receivedFrames > 20 ? true : undefined));
    proxy.delayMs = 400;
    const spoken = await speaking;
    expect(spoken.pcm.equals(fakeSpeechOf(long))).toBe(true);
    expect(sizesOf(spoken).length).toBeGreaterThan(1);
  });
});
