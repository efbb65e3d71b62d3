import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type SystemOptions, startSystem } from "../../../testkit/fleet/system.ts";

const GERMAN = "simGermanAnna000000A";

async function openSystem(options: Partial<SystemOptions> = {}) {
  const system = await startSystem({ redisUrl: inject("redisUrl"), ...options });
  onTestFinished(() => system.close());
  return system;
}

describe("speech that went through edge, Redis and worker is the provider's own, byte for byte", () => {
  const texts: Record<string, string> = {
    "one German sentence": "Guten Tag, wie geht es Ihnen?",
    "several sentences": "Das ist der erste Satz. Hier kommt der zweite! Und ein dritter? Ja, sicher.",
    "a single word": "Hallo",
    "numbers, umlauts and quotes": "Am 3. Mai kostet „Größe XL“ genau 24,50 Euro.",
  };
  for (const [name, text] of Object.entries(texts)) {
    it(`for ${name}, over WebSocket and over HTTP`, async () => {
      const system = await openSystem();
      const { pcm } = await renderSpeech({ text, voice: GERMAN, sampleRateHz: 24_000 });

      const client = await NativeClient.connect(system.url);
      const spoken = await client.speak(text, { voice: GERMAN });
      await client.close();
      expect(spoken.pcm.equals(pcm)).toBe(true);

      const ask = (accept: string) =>
        fetch(`${system.url}/api/v1/synthesize`, {
          method: "POST",
          headers: { "content-type": "application/json", accept },
          body: JSON.stringify({ text, voice: GERMAN }),
        });
      const raw = await ask("audio/pcm");
      expect(raw.status).toBe(200);
      expect(Buffer.from(await raw.arrayBuffer()).equals(pcm)).toBe(true);
      const wav = Buffer.from(await (await ask("audio/wav")).arrayBuffer());
      expect(wav.subarray(0, 4).toString()).toBe("RIFF");
      expect(wav.subarray(44).equals(pcm)).toBe(true);
      const json = (await (await ask("application/json")).json()) as { audio: string; sample_rate: number };
      expect(json.sample_rate).toBe(24_000);
      expect(Buffer.from(json.audio, "base64").equals(pcm)).toBe(true);
    });
  }

  it("for text that comes letter by letter", async () => {
    const system = await openSystem();
    const text = "Langsam getippt. Aber ganz gesprochen.";
    const { pcm } = await renderSpeech({ text, voice: GERMAN, sampleRateHz: 24_000 });
    const client = await NativeClient.connect(system.url);
    for (const letter of text) client.send({ type: "text", text: letter, voice: GERMAN });
    client.send({ type: "stream_end" });
    const spoken = await client.utterance(1);
    expect(spoken.pcm.equals(pcm)).toBe(true);
    await client.close();
  });

  it("for utterances sent one after the other without waiting, each after the one before", async () => {
    const system = await openSystem();
    const texts = ["Eins ist der Anfang.", "Zwei folgt darauf.", "Drei beendet es."];
    const client = await NativeClient.connect(system.url);
    for (const text of texts) {
      client.send({ type: "text", text, voice: GERMAN });
      client.send({ type: "stream_end" });
    }
    for (const [i, text] of texts.entries()) {
      const { pcm } = await renderSpeech({ text, voice: GERMAN, sampleRateHz: 24_000 });
      expect((await client.utterance(i + 1)).pcm.equals(pcm)).toBe(true);
    }
    await client.close();
  });
});
