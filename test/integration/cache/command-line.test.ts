import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentCacheObserver } from "@tts-labs/core/cache/audio-cache";
import { openRedisAudioCache } from "@tts-labs/core/cache/redis-audio-cache";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, openRedis } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { parsePhrases } from "../../../scripts/cache/phrases.ts";
import { keyOf, speech } from "../../contract/cache/speech.ts";

const SCRIPT = join(import.meta.dirname, "../../../scripts/cache.ts");
const keyPrefix = `test-${randomBytes(6).toString("hex")}`;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(...args: string[]): Promise<Ended> {
  const env = { PATH: process.env["PATH"], REDIS_URL: inject("redisUrl"), REDIS_KEY_PREFIX: keyPrefix };
  return new Promise((resolve) => {
    execFile(process.execPath, [SCRIPT, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

describe("npm run cache -- stats and purge", () => {
  test("tell what is kept, and throw it away by voice or whole", async () => {
    const redis = openRedis({ url: inject("redisUrl"), purpose: "commands", logger: silentLogger });
    try {
      await redis.ping();
      const cache = openRedisAudioCache({
        redis,
        keys: new Keys(keyPrefix),
        eviction: "self",
        logger: silentLogger,
        limits: { maxBytes: 4_000_000, maxEntryBytes: 1_000_000, ttlMs: 60_000 },
        observer: silentCacheObserver,
      });
      for (const [text, voice] of [
        ["a", "grace"],
        ["b", "grace"],
        ["c", "max"],
      ] as const) {
        await cache.store(keyOf(text, voice), speech(text, 50_000, voice));
      }
      const people = await run("stats");
      expect(people.stdout).toMatch(
        /^3 utterances, 0\.2 MB of 268\.4 MB \(0 %\)\n {2}grace +2 +0\.1 MB\n {2}max +1 /,
      );
      expect(JSON.parse((await run("stats", "--json")).stdout)).toMatchObject({
        entries: 3,
        voices: [
          { voice: "grace", entries: 2 },
          { voice: "max", entries: 1 },
        ],
      });
      expect((await run("purge", "--voice", "grace")).stdout).toBe("2 utterances thrown away.\n");
      expect(JSON.parse((await run("purge", "--json")).stdout)).toEqual({ purged: 1 });
      expect((await cache.stats()).entries).toBe(0);
    } finally {
      await closeRedis(redis);
    }
  });

  test("wrong calls end with 2 and say what would be right", async () => {
    expect(await run("empty")).toMatchObject({ code: 2, stderr: expect.stringContaining("unknown command") });
    expect(await run("warm")).toMatchObject({ code: 2, stderr: expect.stringContaining("file") });
    expect(await run("warm", "x", "-c", "0")).toMatchObject({ code: 2 });
  });
});

describe("npm run cache -- warm", () => {
  let server: Server;
  let url: string;
  let folder: string;
  let asked: { text: string; voice?: string }[];
  let atOnce = 0;
  let mostAtOnce = 0;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tts-warm-"));
    asked = [];
    atOnce = mostAtOnce = 0;
    server = createServer(async (request, response) => {
      let body = "";
      for await (const part of request) body += part;
      const phrase = JSON.parse(body);
      asked.push(phrase);
      mostAtOnce = Math.max(mostAtOnce, ++atOnce);
      setImmediate(() => {
        atOnce -= 1;
        if (phrase.text === "Never.")
          response.writeHead(400).end('{"error":{"code":"x.y","message":"No.","retryable":false}}');
        else if (phrase.text === "Later." && asked.filter(({ text }) => text === "Later.").length === 1) {
          response
            .writeHead(503)
            .end('{"error":{"code":"draining","message":"m","retryable":true,"retry_after_ms":5}}');
        } else response.writeHead(200, { "x-cache": phrase.text === "Known." ? "hit" : "miss" }).end("pcm");
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true, force: true });
  });

  const warm = async (phrases: string, ...args: string[]) => {
    await writeFile(join(folder, "phrases.txt"), phrases);
    return run("warm", join(folder, "phrases.txt"), "--url", url, ...args);
  };

  test("speaks each phrase once, with its own options or the given ones", async () => {
    const ended = await warm(
      '# Greetings\nHello.\n\nKnown.\nHello.\n{"text":"Goodbye.","voice":"max"}\n',
      "--voice",
      "grace",
      "--json",
    );
    expect(JSON.parse(ended.stdout)).toEqual({ phrases: 3, spoken: 2, cached: 1, uncached: 0, failed: 0 });
    expect(ended.code).toBe(0);
    expect(asked.map(({ text, voice }) => [text, voice]).sort()).toEqual([
      ["Goodbye.", "max"],
      ["Hello.", "grace"],
      ["Known.", "grace"],
    ]);
  });

  test("never asks for more at once than it is told", async () => {
    const ended = await warm(Array.from({ length: 40 }, (_, i) => `Phrase ${i}.`).join("\n"), "-c", "3");
    expect(ended.stdout).toBe("40 phrases: 40 spoken, 0 were there, 0 failed.\n");
    expect(asked).toHaveLength(40);
    expect(mostAtOnce).toBeLessThanOrEqual(3);
  });

  test("comes again when it is told to, and names what could not be spoken", async () => {
    const ended = await warm("Later.\nNever.\n", "-c", "1");
    expect(ended).toMatchObject({ code: 1, stderr: 'failed: "Never.": x.y: No.\n' });
    expect(ended.stdout).toBe("2 phrases: 1 spoken, 0 were there, 1 failed.\n");
    expect(asked.map(({ text }) => text)).toEqual(["Later.", "Later.", "Never."]);
  });

  test("a file that is not there, or not understood, fails before anything is asked", async () => {
    expect((await run("warm", join(folder, "none.txt"), "--url", url)).code).toBe(1);
    const ended = await warm("Hello.\n{text}\n");
    expect(ended).toMatchObject({ code: 1, stderr: expect.stringContaining("Line 2") });
    expect(asked).toEqual([]);
  });
});

test("phrases are lines or objects; comments and empty lines are neither", () => {
  expect(parsePhrases('\ufeffA.\r\n  # no\r\n\r\n {"text":"B.","seed":7}', { voice: "v" })).toEqual([
    { text: "A.", voice: "v" },
    { text: "B.", voice: "v", seed: 7 },
  ]);
});
