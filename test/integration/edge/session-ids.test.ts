import { SpeechClient } from "@tts-labs/client/speech-client";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { ResumingTestClient } from "../../../testkit/clients/resuming-client.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { fakeSpeechOf } from "../../../testkit/fleet/fake-worker.ts";

let alone: EdgeAlone;
const lines: string[] = [];
beforeAll(async () => {
  const keep = (fields: object, message: string) => void lines.push(JSON.stringify({ ...fields, message }));
  const logger = { debug: keep, info: keep, warn: keep, error: keep };
  alone = await startEdgeAlone({ redisUrl: inject("redisUrl"), logger });
});
afterAll(() => alone.close());

const IDS = [
  ...["a", "test_1", "user@example", "session 1", " ", "100%", "a+b", "a&b=c", "a/b?c#d", "{a}b", "}", "{}"],
  ...[
    "*?[x]",
    `"quoted"`,
    "back\\slash",
    "Grüße",
    "сессия",
    "セッション",
    "جلسة",
    "सत्र",
    "👩‍👩‍👧",
    "__proto__",
    "constructor",
  ],
  ...["x".repeat(128), "界".repeat(128), "😀".repeat(128)],
];

const live = async () => {
  const ids: string[] = [];
  for (let cursor = ""; ; ) {
    const query = new URLSearchParams({ limit: "2", ...(cursor === "" ? {} : { sessions_cursor: cursor }) });
    const answer = await fetch(`${alone.edge.opsUrl}/api/v1/live?${query}`);
    const { sessions } = (await answer.json()) as {
      sessions: { items: { session_id: string }[]; next_cursor: string | null };
    };
    ids.push(...sessions.items.map((it) => it.session_id));
    if (sessions.next_cursor === null) return ids;
    cursor = sessions.next_cursor;
  }
};

describe("a session id of a client's own choice", () => {
  test.each(IDS)("may be %j: it is spoken to, found in the live view and resumed", async (id) => {
    const client = await ResumingTestClient.connect(alone.edge.url, { session_id: id });
    expect(client.connected.session_id).toBe(id);
    client.send({ type: "text", text: "It is me.", end: true });
    expect((await client.ended(1)).pcm.equals(fakeSpeechOf("It is me."))).toBe(true);
    await expect.poll(live).toContain(id);
    client.cut();
    await client.resume(alone.edge.url);
    expect(client.connected).toMatchObject({ session_id: id, resumed: true });
    await client.close();
    await expect.poll(live).not.toContain(id);
  });

  test.each(["a\tb", "a\u0000b", "a\nb", "\u007f", "x".repeat(129)])(
    "may not be %j, which is told before anything is opened (negative twin)",
    async (id) => {
      const connecting = NativeClient.connect(alone.edge.url, { session_id: id });
      await expect(connecting).rejects.toThrow(/400 protocol\.invalid_message/);
      expect(await live()).toEqual([]);
    },
  );

  test("is listed page by page in Redis' order, whatever its script", async () => {
    const clients = await Promise.all(
      IDS.map((id) => NativeClient.connect(alone.edge.url, { session_id: id })),
    );
    await expect.poll(async () => (await live()).length).toBe(IDS.length);
    expect(new Set(await live())).toEqual(new Set(IDS));
    for (const client of clients) await client.close();
  });

  test("reaches the edge through the client library as it is", async () => {
    const client = await SpeechClient.connect({ url: alone.edge.url, sessionId: "session 1 & 界 +%" });
    expect(client.session.session_id).toBe("session 1 & 界 +%");
    await client.close();
  });

  test("stays one line in the log", () => {
    for (const line of lines) expect(line).not.toMatch(/[\n\r]/);
  });
});
