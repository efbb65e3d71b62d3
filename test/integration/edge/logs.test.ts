import type { Logger } from "@tts-labs/core/logger";
import { expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";

test("an utterance's end is one line at info, and what was said is never in the log", async () => {
  const lines: { level: string; fields: object; message: string }[] = [];
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, fields, message });
  const logger: Logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  const alone = await startEdgeAlone({ redisUrl: inject("redisUrl"), logger });
  try {
    const client = await NativeClient.connect(alone.edge.url, {}, { headers: { "x-request-id": "call-9" } });
    const spoken = await client.speak("My number is 4711 and nobody may know it.");
    client.sendRaw("4711 is not JSON");
    await client.next("error");
    await client.close();
    const ends = lines.filter((it) => it.message === "utterance ended");
    expect(ends).toMatchObject([
      {
        level: "info",
        fields: {
          utteranceId: spoken.utteranceId,
          requestId: "call-9",
          outcome: "completed",
          characters: 41,
          firstAudio: expect.stringMatching(/^(excellent|fast|slow)$/),
        },
      },
    ]);
    expect(JSON.stringify(lines)).not.toContain("4711");
    expect(lines.filter((it) => it.level === "warn" || it.level === "error")).toEqual([]);
  } finally {
    await alone.close();
  }
});
