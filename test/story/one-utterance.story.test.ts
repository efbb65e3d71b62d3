import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { expect, inject, it } from "vitest";
import { NativeClient } from "../../testkit/clients/native-client.ts";
import { startSystem } from "../../testkit/fleet/system.ts";

/**
 * One utterance, from a person's words to a person's ear. Read this first: it shows every part of the
 * system once, in the order in which an utterance meets them.
 */
it("a client sends words as a language model makes them, and hears them at once, complete and in time", async () => {
  // A provider (the simulator speaks ElevenLabs' protocol), Redis, one worker, one edge.
  const system = await startSystem({ redisUrl: inject("redisUrl") });
  try {
    // The worker keeps sockets to the provider open and greeted before anybody has said a word.
    // A client opens a session with the edge and is told what it will get.
    const client = await NativeClient.connect(system.url);
    expect(client.connected).toMatchObject({
      provider: "elevenlabs",
      sample_rate: 24_000,
      frame_samples: 960,
    });

    // The first text opens an utterance. The edge appends text to a stream in Redis and asks for a worker;
    // the worker takes a warm socket and passes the text on as it comes.
    const text = "Good evening. Your train leaves in ten minutes from platform four.";
    for (const word of text.split(/(?<=\s)/)) client.send({ type: "text", text: word });
    const { utterance_id, utterance } = await client.next("utterance_started");

    // Speech starts while the text is still open: the first sentence is spoken as soon as it is whole.
    await client.until("the first audio", () => client.received(utterance).frames[0]);

    // Meanwhile the live view shows who is speaking, and which edge and worker have it.
    const live = await fetch(`${system.opsUrl}/api/v1/live`).then((answer) => answer.json());
    expect(live).toMatchObject({
      sessions: { items: [{ session_id: client.connected.session_id, edge: system.edges[0]?.nodeId }] },
      utterances: { items: [{ utterance_id, worker: system.workers[0]?.nodeId }] },
    });

    // No more text: the provider finishes, the worker ends the audio stream, the edge sends the last frame.
    client.send({ type: "stream_end" });
    const spoken = await client.utterance(utterance);

    // No sample was lost, added or moved: it is what the provider's voice says, byte for byte.
    const rendering = await renderSpeech({ text, voice: client.connected.voice, sampleRateHz: 24_000 });
    expect(spoken.pcm.equals(rendering.pcm)).toBe(true);
    expect(spoken.end).toMatchObject({
      type: "stream_complete",
      characters: text.length,
      samples: rendering.pcm.byteLength / 2,
      dropped_frames: 0,
    });

    // Every word came with its time on the utterance's own clock.
    expect(spoken.words.map((word) => word.text)).toEqual(text.split(" "));
    for (const [i, word] of spoken.words.entries()) {
      expect(word.start_ms).toBeGreaterThanOrEqual(spoken.words[i - 1]?.end_ms ?? 0);
    }

    // The provider saw one well-behaved utterance: one opening, one end, nothing amiss.
    expect(system.simulator.report()).toMatchObject({ ends: 1, violationCount: 0 });

    // The client leaves, and nothing of it stays but what expires by itself.
    await client.close();
    await client.closed;
    await expect
      .poll(() => fetch(`${system.opsUrl}/api/v1/live`).then((answer) => answer.json()))
      .toMatchObject({
        sessions: { total: 0 },
        utterances: { total: 0 },
      });
  } finally {
    await system.close();
  }
});
