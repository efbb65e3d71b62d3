import { setTimeout as sleep } from "node:timers/promises";
import type { TextMessage } from "@tts-labs/protocol/client-message";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";

const TOKEN_EVERY_MS = 60;
const LONG =
  "I have looked through all of your orders from last month, and it seems that the one you are asking about was sent to " +
  "the old address that we still have on records for you since the spring of last year when you moved to the other town.";

let system: System;

beforeAll(async () => {
  system = await startSystem({ redisUrl: inject("redisUrl"), edge: { cache: true } });
  // The simulator loads its voice with the first sentence.
  const client = await NativeClient.connect(system.url);
  await client.speak("Warm up, please.");
  await client.close();
});
afterAll(() => system.close());

/** Sends `text` word by word. @returns samples received before its last word went */
async function dictate(client: NativeClient, text: string, options: Omit<TextMessage, "type" | "text"> = {}) {
  let received = 0;
  for (const token of text.match(/\s*\S+/g) ?? []) {
    await sleep(TOKEN_EVERY_MS);
    received = client.received(1).samples;
    client.send({ type: "text", text: token, ...options });
  }
  return received;
}

describe("text that comes token by token", () => {
  test("is heard from its first clause on, long before its first sentence is complete", async () => {
    const client = await NativeClient.connect(system.url);
    expect(await dictate(client, LONG)).toBeGreaterThan(0);
    client.send({ type: "stream_end" });
    expect((await client.utterance(1)).pcm.byteLength).toBeGreaterThan(0);
    await client.close();
  });

  test("is heard only once its first sentence is complete where it is to sound natural", async () => {
    const client = await NativeClient.connect(system.url);
    expect(await dictate(client, LONG, { natural: true, chunk_length_schedule: [500] })).toBe(0);
    client.send({ type: "stream_end" });
    expect((await client.utterance(1)).pcm.byteLength).toBeGreaterThan(0);
    await client.close();
  });

  test.each([
    ["Let me check that for you.", "false"],
    ["Your number is 4271.", "false"],
    ["我来查一下。", "false"],
    ["One moment:", "false"],
    ["Let me check that for you once more.", "true"],
  ])("is spoken while nothing more comes: %j, sentence cache %s", async (text, sentenceCache) => {
    const client = await NativeClient.connect(system.url, { sentence_cache: sentenceCache });
    client.send({ type: "text", text, natural: true });
    await client.until("the sentence", () => client.received(1).samples > 0 || undefined);
    client.send({ type: "text", text: " Here it is.", end: true });
    expect((await client.utterance(1)).pcm.byteLength).toBeGreaterThan(0);
    await client.close();
  });

  test("waits in the middle of a sentence, whole sentences being asked for", async () => {
    const client = await NativeClient.connect(system.url);
    client.send({ type: "text", text: "Let me check that for you and", natural: true });
    await sleep(1_500);
    expect(client.received(1).samples).toBe(0);
    client.send({ type: "stream_end" });
    await client.utterance(1);
    await client.close();
  });
});
