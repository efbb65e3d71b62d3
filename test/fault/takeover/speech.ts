import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { expect } from "vitest";
import { type Fleet, type FleetOptions, startFleet } from "../../../scripts/supervisor/fleet.ts";
import type { FleetMember } from "../../../scripts/supervisor/fleet-member.ts";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import type { SpokenUtterance } from "../../../testkit/clients/received-speech.ts";
import { metric } from "../../../testkit/ground/metrics.ts";

export const VOICE = "simEnglishGrace0000A";
const NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
/** Some 80 s of audio, which the simulator makes in 4 s: long enough to be killed in. */
export const TEXT = NUMBERS.map(
  (number) => `Sentence ${number} tells of ships, harbours and of the long way home across a quiet sea. `,
)
  .join("")
  .trim();

/** An edge, two workers and the simulator as processes of their own. */
export const startSpeakers = (options: FleetOptions = {}): Promise<Fleet> =>
  startFleet({ workers: 2, edges: 1, ...options });

export const connect = ({ edges }: Fleet): Promise<NativeClient> =>
  NativeClient.connect(edges[0]?.url ?? "", {}, { limitMs: 30_000 });

/** The worker that speaks now; waits for one. */
export async function speakerOf({ workers }: Fleet): Promise<FleetMember> {
  let speaker: FleetMember | undefined;
  await expect
    .poll(
      async () => {
        for (const worker of workers) {
          const active = await metric(worker.url, "tts_worker_utterances_active").catch(() => 0);
          if (active > 0) speaker = worker;
        }
        return speaker;
      },
      { timeout: 10_000, interval: 20 },
    )
    .toBeDefined();
  if (speaker === undefined) throw new Error("nobody speaks");
  return speaker;
}

/** Begins to speak, and waits until `samples` have come. */
export async function begin(client: NativeClient, samples: number): Promise<number> {
  const before = client.messages.length;
  client.send({ type: "text", text: TEXT, voice: VOICE });
  client.send({ type: "stream_end" });
  const { utterance } = await client.next("utterance_started", () => true, before);
  await client.until(`${samples} samples`, () => client.received(utterance).samples >= samples || undefined);
  return utterance;
}

/**
 * No word missing, none twice, and between two splices every sample as the provider makes it of the text from
 * that word on.
 */
export async function expectWhole(spoken: SpokenUtterance): Promise<void> {
  expect(spoken.end).toMatchObject({ type: "stream_complete", characters: TEXT.length });
  expect(spoken.words.map(({ text }) => text)).toEqual(TEXT.split(" "));
  const starts = [0, ...spoken.splices.map(({ firstSample }) => firstSample)];
  for (const [i, start] of starts.entries()) {
    const startMs = start / 24;
    const word = spoken.words.findIndex(({ start_ms }) => start_ms >= startMs - 1);
    const char = TEXT.split(" ").slice(0, word).join(" ").length + (word > 0 ? 1 : 0);
    const { pcm } = await renderSpeech({ voice: VOICE, text: TEXT.slice(char) });
    const heard = spoken.pcm.subarray(start * 2, (starts[i + 1] ?? Number.POSITIVE_INFINITY) * 2);
    expect(heard.equals(pcm.subarray(0, heard.byteLength))).toBe(true);
    if (i === starts.length - 1) expect(heard.byteLength).toBe(pcm.byteLength);
  }
}
