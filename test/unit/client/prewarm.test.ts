import { SpeechError } from "@tts-labs/client/speech-error";
import type { ClientMessage } from "@tts-labs/protocol/client-message";
import { describe, expect, test } from "vitest";
import type { FakeConnection } from "../../../testkit/fleet/fake-session.ts";
import { codeOf, openBoth, openClient, openEdge } from "./client-fixture.ts";

/** Leaves wishes to the test. */
const silent = ({ type }: ClientMessage) => type === "prewarm";

const prewarmed = (prewarm_id: string | undefined, voice: string, connect_ms: number) =>
  ({
    type: "prewarmed",
    ...(prewarm_id === undefined ? {} : { prewarm_id }),
    voice,
    model: "m",
    connect_ms,
  }) as const;

describe("prewarm", () => {
  test("resolves with the answer to its own wish, in whatever order answers come", async () => {
    const wishes: { readonly id: string | undefined; readonly connection: FakeConnection }[] = [];
    const { client } = await openBoth({
      onMessage: (message, connection) => {
        if (message.type !== "prewarm") return false;
        wishes.push({ id: message.prewarm_id, connection });
        return true;
      },
    });
    const answers = Promise.all([client.prewarm({ voice: "a" }), client.prewarm({ voice: "b" })]);
    await expect.poll(() => wishes.length).toBe(2);
    wishes[1]?.connection.send(prewarmed(wishes[1].id, "b", 2));
    wishes[0]?.connection.send(prewarmed(wishes[0].id, "a", 1));
    expect(await answers).toEqual([
      { voice: "a", model: "m", connectMs: 1 },
      { voice: "b", model: "m", connectMs: 2 },
    ]);
  });

  test("rejects with the reason why there will be none; the error is nobody else's", async () => {
    const server = await openEdge({
      onMessage: (message, connection) => {
        if (message.type !== "prewarm") return false;
        connection.send({
          type: "error",
          code: "provider.voice_not_found",
          message: "No such voice.",
          retryable: false,
          facts: { prewarm_id: message.prewarm_id ?? "" },
        });
        return true;
      },
    });
    const { client, states } = await openClient({ url: server.url });
    const utterance = client.speak("Spoken beside it.");
    expect(await codeOf(client.prewarm({ voice: "none" }))).toBe("provider.voice_not_found");
    expect(await codeOf(utterance.finished)).toBe("no error");
    expect(states).toEqual([]);
  });

  test("is asked again over the next connection, and ends with the client", async () => {
    const { server, client } = await openBoth({ onMessage: silent });
    const waiting = client.prewarm();
    const wished = () => server.received.filter(({ type }) => type === "prewarm").length;
    await expect.poll(wished).toBe(1);
    server.disconnectAll(4001);
    await expect.poll(wished).toBe(2);
    await client.close();
    await expect(waiting).rejects.toBeInstanceOf(SpeechError);
    expect(await codeOf(client.prewarm())).toBe("client.closed");
  });

  test("waits with 64 of them and no more, and upsets no one who does not wait for it", async () => {
    const { client } = await openBoth({ onMessage: silent });
    for (let i = 0; i < 64; i++) void client.prewarm();
    expect(await codeOf(client.prewarm())).toBe("capacity.overloaded");
  });
});
