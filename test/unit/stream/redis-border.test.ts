import { parseRedisUrl, reconnectDelayMs } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { retryStorage } from "@tts-labs/core/redis/retry";
import { slotOf } from "@tts-labs/core/redis/slot";
import { toStorageError } from "@tts-labs/core/redis/storage-error";
import { GatewayError } from "@tts-labs/protocol/errors";
import { describe, expect, it } from "vitest";

const replyError = (message: string) => Object.assign(new Error(message), { name: "ReplyError" });

describe("what Redis says becomes one of our errors", () => {
  it.each([
    [new Error("Command timed out"), "storage.timeout"],
    [new Error("Connection is closed."), "storage.unavailable"],
    [replyError("LOADING Redis is loading the dataset in memory"), "storage.loading"],
    [replyError("OOM command not allowed when used memory > 'maxmemory'."), "storage.full"],
    [replyError("READONLY You can't write against a read only replica."), "storage.read_only"],
    [replyError("WRONGTYPE Operation against a key holding the wrong kind of value"), "internal"],
    [replyError("ERR unknown command 'XYZ'"), "internal"],
    ["nonsense", "storage.unavailable"],
  ])("%s: %s", (error, code) => {
    expect(toStorageError(error)).toMatchObject({ code, cause: error });
  });

  it("leaves our own errors as they are", () => {
    const error = new GatewayError("lease.lost");
    expect(toStorageError(error)).toBe(error);
  });
});

describe("repeating while Redis is away", () => {
  it("ends with the last error once its time is over", async () => {
    let attempts = 0;
    const failing = retryStorage(120, undefined, async () => {
      attempts += 1;
      throw new Error("Connection is closed.");
    });
    await expect(failing).rejects.toMatchObject({ code: "storage.unavailable" });
    expect(attempts).toBeGreaterThan(1);
  });

  it("does not repeat what Redis refused", async () => {
    let attempts = 0;
    const refused = retryStorage(1_000, undefined, async () => {
      attempts += 1;
      throw replyError("ERR no such thing");
    });
    await expect(refused).rejects.toMatchObject({ code: "internal" });
    expect(attempts).toBe(1);
  });

  it("stops with the signal's reason", async () => {
    const giveUp = new AbortController();
    const failing = retryStorage(60_000, giveUp.signal, async () => {
      giveUp.abort(new Error("cancelled"));
      throw new Error("Connection is closed.");
    });
    await expect(failing).rejects.toThrow("cancelled");
  });

  it("waits longer from one reconnect to the next, up to 2 s", () => {
    for (const [attempt, longest] of [
      [1, 50],
      [3, 200],
      [20, 2_000],
    ] as const) {
      expect(reconnectDelayMs(attempt)).toBeLessThanOrEqual(longest);
      expect(reconnectDelayMs(attempt)).toBeGreaterThanOrEqual(longest * 0.8);
    }
  });
});

describe("addresses", () => {
  it("of a cluster name several nodes, with credentials if need be", () => {
    expect(parseRedisUrl("redis-cluster://10.0.0.1:7000,redis-2:7001")).toEqual({
      kind: "cluster",
      nodes: [
        { host: "10.0.0.1", port: 7000 },
        { host: "redis-2", port: 7001 },
      ],
    });
    expect(parseRedisUrl("redis-cluster://me:s%40crt@a:1,b:2")).toMatchObject({
      username: "me",
      password: "s@crt",
    });
    expect(parseRedisUrl("redis-sentinel://:s3cret@a:26379,b:26379/main")).toEqual({
      kind: "sentinel",
      nodes: [
        { host: "a", port: 26_379 },
        { host: "b", port: 26_379 },
      ],
      name: "main",
      password: "s3cret",
    });
    expect(parseRedisUrl("rediss://:secret@redis:6380/2")).toEqual({ kind: "single" });
  });

  it.each([
    "",
    "localhost:6379",
    "http://localhost",
    "redis-cluster://",
    "redis-cluster://a,b:1",
    "redis-cluster://a:1/x",
    "redis-sentinel://a:1",
  ])("%j can't be used", (url) => {
    expect(() => parseRedisUrl(url)).toThrow(expect.objectContaining({ code: "config.invalid" }));
  });
});

describe("keys", () => {
  const keys = new Keys("tts");

  it("of one utterance lie in one slot", () => {
    const stream = { tag: "utt_1", name: "audio" } as const;
    const text = { tag: "utt_1", name: "text" } as const;
    const slots = [
      keys.stream(stream, "meta"),
      keys.stream(stream, "entries:3"),
      keys.stream(text, "meta"),
      keys.utterance("utt_1"),
    ].map(slotOf);
    expect(new Set(slots).size).toBe(1);
  });

  it("hash as Redis hashes them", () => {
    // From the cluster specification, and `redis-cli cluster keyslot`.
    expect(slotOf("123456789")).toBe(0x31c3);
    expect(slotOf("foo")).toBe(12_182);
    expect(slotOf("{foo}.bar")).toBe(12_182);
    expect(slotOf("a{}b")).not.toBe(slotOf("a{}c"));
  });

  it("take no prefix that would upset hash tags", () => {
    for (const prefix of ["", "a{b}", "a b", "a:b"]) {
      expect(() => new Keys(prefix)).toThrow(expect.objectContaining({ code: "config.invalid" }));
    }
    expect(keys.queuePrefix).toBe("{tts-jobs}");
  });
});
