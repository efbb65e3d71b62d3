import { describe, expect, it } from "vitest";
import { HEADER, STARTED } from "../../../testkit/clients/one-utterance.ts";
import { codeOf, hanging, openBoth, typesOf } from "./client-fixture.ts";

describe("errors of the server", () => {
  const refusal = {
    type: "error",
    code: "protocol.invalid_message",
    message: "No.",
    retryable: false,
  } as const;

  it("a refused opening fails that utterance alone, whatever else was sent with it", async () => {
    const { client } = await openBoth({
      onMessage: (message, connection) => {
        if (message.type === "text" && message.voice === "bad") {
          connection.send(refusal);
          // To something else that came along.
          connection.send({ ...refusal, code: "protocol.wrong_state" });
          return true;
        }
        return false;
      },
    });
    const stray: string[] = [];
    client.on("error", ({ code }) => stray.push(code));
    const [bad, good] = [client.speak("Eins", { voice: "bad" }), client.speak("zwei")];
    expect(await codeOf(bad.finished)).toBe("protocol.invalid_message");
    expect(await good.finished).toMatchObject({ outcome: "completed" });
    expect(stray).toEqual([]);
  });

  it("a refused text that comes in pieces is closed, so that the next one is heard", async () => {
    let refusing = false;
    const { client, server } = await openBoth({
      // As an edge does: what was refused is refused up to its stream_end.
      onMessage: (message, connection) => {
        if (message.type === "text" && message.voice === "bad") {
          refusing = true;
          connection.send({ ...refusal, code: "capacity.too_many_utterances" });
        }
        const refused = refusing && message.type !== "ping";
        if (message.type === "stream_end") refusing = false;
        return refused;
      },
    });
    const bad = client.speak(["Eins ", "eins"], { voice: "bad" });
    const good = client.speak("zwei");
    expect(await codeOf(bad.finished)).toBe("capacity.too_many_utterances");
    expect(await good.finished).toMatchObject({ outcome: "completed" });
    expect(typesOf(server.received)).toEqual(["text", "stream_end", "text"]);
  });

  it("an opening that the server passes over fails as soon as that is certain", async () => {
    const { client } = await openBoth({ onMessage: ({ type }) => type === "text" || type === "stream_end" });
    expect(await codeOf(client.speak("Hallo").finished)).toBe("client.not_understood");
  });

  it("a complaint about a cancel that came too late harms nobody", async () => {
    const { client } = await openBoth({
      onMessage: (message, connection) => {
        if (message.type === "text") connection.send({ ...refusal, code: "protocol.wrong_state" });
        return false;
      },
    });
    expect(await client.speak("Hallo").finished).toMatchObject({ outcome: "completed" });
  });

  it("a failure in mid-utterance ends the iteration with it, after the audio that came", async () => {
    const { client } = await openBoth({
      onMessage: (message, connection) => {
        const handled = hanging(message, connection);
        if (message.type === "text") {
          const error = {
            ...refusal,
            code: "provider.truncated",
            retryable: true,
            retry_after_ms: 500,
          } as const;
          connection.send({ ...error, utterance_id: "u" });
        }
        return handled;
      },
    });
    const utterance = client.speak("Hallo");
    let samples = 0;
    const read = async () => {
      for await (const chunk of utterance) samples += chunk.samples.length;
    };
    await expect(read()).rejects.toMatchObject({ code: "provider.truncated", retryAfterMs: 500 });
    expect(samples).toBe(24_000);
  });

  it("a gap between frames is an error, never silence", async () => {
    const { client, server } = await openBoth({
      onMessage: (message, connection) => {
        const handled = hanging(message, connection);
        if (message.type === "text") {
          connection.sendFrame({ ...HEADER, firstSample: 24_960, seq: 2 }, new Uint8Array(1_920));
        }
        return handled;
      },
    });
    expect(await codeOf(client.speak("Hallo").finished)).toBe("client.audio_gap");
    await expect.poll(() => typesOf(server.received)).toContain("cancel");
  });

  it("audio that nobody takes is bounded, and reaching the bound cancels", async () => {
    const { client, server } = await openBoth({ onMessage: hanging }, { maxBufferedMs: 999 });
    expect(await codeOf(client.speak("Hallo").finished)).toBe("client.buffer_full");
    await expect.poll(() => typesOf(server.received)).toContain("cancel");
    const { client: roomier } = await openBoth({ onMessage: hanging }, { maxBufferedMs: 1_000 });
    const utterance = roomier.speak("Hallo");
    await expect.poll(() => utterance.receivedSamples).toBe(24_000);
  });

  it("a message that is none ends the connection", async () => {
    const { client } = await openBoth({
      onMessage: (_message, connection) => {
        connection.sendFrame({ ...HEADER, utterance: 1 }, new Uint8Array(3));
        connection.send(STARTED);
        connection.sendFrame(HEADER, new Uint8Array(3));
        return true;
      },
    });
    expect(await codeOf(client.speak("Hallo").finished)).toBe("client.not_understood");
  });
});
