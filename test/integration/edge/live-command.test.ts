import { execFile } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";

const SCRIPT = join(import.meta.dirname, "../../../scripts/live.ts");

function live(...args: readonly string[]) {
  return new Promise<{ readonly code: number; readonly out: string; readonly err: string }>((resolve) => {
    execFile(process.execPath, [SCRIPT, ...args], { timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({
        code: error === null ? 0 : Number(error.code),
        out: stdout.trimEnd(),
        err: stderr.trimEnd(),
      });
    });
  });
}

describe("npm run live", () => {
  let ground: EdgeAlone;
  let client: NativeClient;

  beforeAll(async () => {
    ground = await startEdgeAlone({ redisUrl: inject("redisUrl"), hasWorker: false });
    client = await NativeClient.connect(ground.edge.url, { session_id: "caller 1" });
  });
  afterAll(async () => {
    await client.close();
    await ground.close();
  });

  test("shows a session and the utterance that waits for a worker", async () => {
    client.send({ type: "text", text: "Nobody is there to speak this.", end: true });
    await client.next("utterance_started");
    const shown = await expect
      .poll(async () => (await live("--url", ground.edge.opsUrl)).out, { timeout: 20_000 })
      .toContain("queued")
      .then(() => live("--url", ground.edge.opsUrl));
    expect(shown.code).toBe(0);
    expect(shown.out).toContain("Sessions: 1");
    expect(shown.out).toMatch(/caller 1\s+-\s+native\s+open\s+1/);
    expect(shown.out).toMatch(/Utterances: 1\n.*utterance.*\n\s+utt_\S+\s+caller 1\s+queued/);
  });

  test("prints the same as one JSON object", async () => {
    const { out } = await live("--json", "--url", ground.edge.opsUrl);
    expect(JSON.parse(out).sessions.items[0].session_id).toBe("caller 1");
  });

  test("says in one sentence that nothing answers, or that it is the clients' port", async () => {
    const away = await live("--url", "http://127.0.0.1:9");
    expect([away.code, away.err.split("\n").length]).toEqual([1, 1]);
    expect(away.err).toContain("--url");
    const clients = await live("--url", ground.edge.url);
    expect([clients.code, clients.err.split("\n").length]).toEqual([1, 1]);
  });
});
