import { gzipSync } from "node:zlib";
import { silentLogger } from "@tts-labs/core/logger";
import { listVoices } from "@tts-labs/worker/elevenlabs/account/voices";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type ScriptedProvider,
  startScriptedProvider,
} from "../../../../../testkit/provider/scripted-provider.ts";

let provider: ScriptedProvider;
beforeEach(async () => {
  provider = await startScriptedProvider();
  vi.clearAllMocks();
});
afterEach(() => provider.close());

const warn = vi.fn();
const logger = { ...silentLogger, warn };
const list = (timeoutMs = 5_000) => listVoices({ url: provider.url, apiKey: "sk_secret", timeoutMs, logger });

/** `count` voices in pages of `size`, told apart by tokens. */
function serveInPages(count: number, size: number): string[] {
  const asked: string[] = [];
  provider.onRequest = ({ url = "" }) => {
    asked.push(url);
    const from = Number(new URLSearchParams(url.split("?")[1]).get("next_page_token") ?? 0);
    const to = Math.min(count, from + size);
    const voices = Array.from({ length: to - from }, (_, i) => ({ voice_id: `v${from + i}`, name: "V" }));
    const hasMore = to < count;
    return { status: 200, body: { voices, has_more: hasMore, next_page_token: hasMore ? String(to) : null } };
  };
  return asked;
}

describe("the list of voices", () => {
  it("comes with name and language, the key in a header", async () => {
    const seen: unknown[] = [];
    provider.onRequest = ({ url, headers }) => {
      seen.push([url, headers["xi-api-key"]]);
      return {
        status: 200,
        body: {
          voices: [
            { voice_id: "a", name: "Anna", labels: { language: "de" }, extra: 1 },
            { voice_id: "b", name: "Bob", labels: null, verified_languages: [{ language: "en" }] },
            { voice_id: "c", name: "Cy" },
          ],
        },
      };
    };
    expect(await list()).toEqual([
      { id: "a", name: "Anna", language: "de" },
      { id: "b", name: "Bob", language: "en" },
      { id: "c", name: "Cy" },
    ]);
    expect(seen).toEqual([["/v2/voices?page_size=50", "sk_secret"]]);
  });

  it("has all pages", async () => {
    const asked = serveInPages(250, 100);
    expect(await list()).toHaveLength(250);
    expect(asked).toEqual([
      "/v2/voices?page_size=50",
      "/v2/voices?page_size=50&next_page_token=100",
      "/v2/voices?page_size=50&next_page_token=200",
    ]);
    expect(warn).not.toHaveBeenCalled();
  });

  it.each([
    ["voices", 5_000, 200, 1_000, 5],
    ["pages", 5_000, 10, 200, 20],
  ])("is bounded in %s, and says so", async (_what, count, size, listed, pages) => {
    const asked = serveInPages(count, size);
    expect(await list()).toHaveLength(listed);
    expect(asked).toHaveLength(pages);
    expect(warn).toHaveBeenCalledWith({ listed, pages }, "more voices than are listed");
  });

  it("does not go round in circles", async () => {
    let asked = 0;
    provider.onRequest = () => {
      asked += 1;
      return {
        status: 200,
        body: { voices: [{ voice_id: "a", name: "A" }], has_more: true, next_page_token: "x" },
      };
    };
    expect(await list()).toEqual([{ id: "a", name: "A" }]);
    expect(asked).toBe(2);
  });

  it("leaves out what it does not understand, and bounds names and ids", async () => {
    const voices = [
      ...[
        null,
        7,
        { name: "no id" },
        { voice_id: "x".repeat(65), name: "X" },
        { voice_id: "a/b", name: "X" },
      ],
      { voice_id: "a", name: `A\n\u001b[31m${"a".repeat(10_000)}`, labels: 7, verified_languages: "en" },
      { voice_id: "b", name: "", labels: { language: "x".repeat(99) } },
      { voice_id: "b", name: "again" },
    ];
    provider.onRequest = () => ({ status: 200, body: { voices } });
    const [a, b, ...more] = await list();
    expect(a?.name).toMatch(/^A \[31ma{90,94}$/);
    expect(b).toEqual({ id: "b", name: "b" });
    expect(more).toEqual([]);
  });

  it("reads and unpacks at most 1 MiB of a page: 200 MB in gzip cost little memory", async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000, " "));
    provider.onRequest = () => ({ status: 200, body: bomb, headers: { "content-encoding": "gzip" } });
    const before = process.memoryUsage().rss;
    await expect(list()).rejects.toMatchObject({ code: "provider.fault", facts: { limitBytes: 1_048_576 } });
    expect(process.memoryUsage().rss - before).toBeLessThan(50_000_000);
  });

  it("would be unpacked whole without the bound (negative twin)", async () => {
    const bomb = gzipSync(Buffer.alloc(20_000_000, " "));
    provider.onRequest = () => ({ status: 200, body: bomb, headers: { "content-encoding": "gzip" } });
    expect((await (await fetch(`${provider.url}/v2/voices`)).text()).length).toBe(20_000_000);
  });

  it("understands a page in gzip", async () => {
    const body = gzipSync(JSON.stringify({ voices: [{ voice_id: "a", name: "A" }] }));
    provider.onRequest = () => ({ status: 200, body, headers: { "content-encoding": "gzip" } });
    expect(await list()).toEqual([{ id: "a", name: "A" }]);
  });

  it("falls back to the older address", async () => {
    provider.onRequest = ({ url }) =>
      url?.startsWith("/v2")
        ? { status: 404, body: {} }
        : { status: 200, body: { voices: [{ voice_id: "a", name: "A" }] } };
    expect(await list()).toEqual([{ id: "a", name: "A" }]);
  });

  it.each([
    [401, { detail: { status: "invalid_api_key" } }, "provider.invalid_key"],
    [429, {}, "provider.overloaded"],
    [500, {}, "provider.fault"],
    [200, { voices: "none" }, "provider.fault"],
    [200, [], "provider.fault"],
  ])("answered with %i and %j fails with a type", async (status, body, code) => {
    provider.onRequest = () => ({ status, body });
    await expect(list()).rejects.toMatchObject({ code });
  });

  it("has a deadline, and does not need a provider that is there", async () => {
    provider.onRequest = () => "stall";
    await expect(list(50)).rejects.toMatchObject({ code: "provider.connect_timeout" });
    await provider.close();
    await expect(list()).rejects.toMatchObject({ code: "provider.connect_failed" });
    provider = await startScriptedProvider();
  });
});
