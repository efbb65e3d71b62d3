import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { expect, onTestFinished, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { joinedPcm } from "../../../testkit/speech/joined-speech.ts";
import { speakerOf, startSpeakers, VOICE } from "./speech.ts";

const SHORT = "This is the harbour radio.";
const LONG =
  "A storm is coming up from the west, so that all small boats should stay where they are, the fishing boats should come in before noon, and the ferries will wait in the old port until the wind has gone down.";
const LAST = "We wish you a good day.";

test("a worker killed within a sentence is followed by another, at the word, and the others join as ever", async () => {
  const fleet = await startSpeakers({
    env: { edge: { CACHE: "true" }, simulator: { SIMULATOR_TIME_SCALE: "3" } },
  });
  onTestFinished(() => fleet.close());
  const client = await NativeClient.connect(
    fleet.edges[0]?.url ?? "",
    { sentence_cache: "true", delivery: "burst" },
    { limitMs: 30_000 },
  );
  onTestFinished(() => client.close());
  expect(client.connected.sentence_cache).toBe(true);
  const render = async (text: string) => (await renderSpeech({ text, voice: VOICE })).pcm;
  const [short, long, last] = await Promise.all([SHORT, LONG, LAST].map(render));
  if (short === undefined || long === undefined || last === undefined) throw new Error("nothing rendered");
  const shortSamples = short.byteLength / 2;
  client.send({ type: "text", text: `${SHORT} ${LONG} ${LAST.slice(0, 2)}`, voice: VOICE });
  await client.until(
    "the middle of the long one",
    () => client.received(1).samples > shortSamples + 24_000 || undefined,
  );
  await (await speakerOf(fleet)).kill();
  client.send({ type: "text", text: LAST.slice(2) });
  client.send({ type: "stream_end" });

  const { pcm, words, splices, end } = await client.utterance(1);
  expect(end).toMatchObject({ type: "stream_complete", splices: 1 });
  expect(words.map(({ text }) => text)).toEqual([SHORT, LONG, LAST].join(" ").split(" "));
  // What waited for the join may be told again with what was spliced: 5 ms at most.
  const told = splices[0]?.firstSample ?? 0;
  const word = words.findIndex(({ start_ms }) => start_ms >= told / 24 - 1);
  const spliceAt = Math.round((words[word]?.start_ms ?? 0) * 24);
  expect(spliceAt - told).toBeLessThanOrEqual(120);
  const rest = LONG.split(" ")
    .slice(word - SHORT.split(" ").length)
    .join(" ");
  // The provider speaks a long text in pieces of its own, so the rest is held only at both ends.
  const begun = Buffer.concat([long.subarray(0, (spliceAt - shortSamples) * 2), await render(rest)]);
  const SECOND = 24_000 * 2;
  const upTo = spliceAt * 2 + SECOND;
  expect(pcm.subarray(0, upTo).equals(joinedPcm([short, begun, last]).subarray(0, upTo))).toBe(true);
  expect(pcm.subarray(-last.byteLength).equals(joinedPcm([begun, last]).subarray(-last.byteLength))).toBe(
    true,
  );
}, 60_000);
