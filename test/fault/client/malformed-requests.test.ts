import type { ErrorCode } from "@tts-labs/core/errors";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type EdgeAlone, startEdgeAlone } from "../../harness/edge-alone.ts";
import { NativeClient } from "../../harness/native-client.ts";

interface Request {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

type Case = readonly [what: string, Request, status: number, ErrorCode, words: RegExp];

const stream = (query: string): Request => ({
  method: "GET",
  path: `/api/v1/stream?${query}`,
  headers: {},
});
const body = (value: string | Uint8Array): Request => ({ body: value });

const CASES: readonly Case[] = [
  [
    "an unknown path",
    { method: "GET", path: "/api/v1/speak" },
    404,
    "protocol.not_found",
    /\/api\/v1\/speak/,
  ],
  ["GET of synthesize", { method: "GET" }, 405, "protocol.method_not_allowed", /takes POST, not GET/],
  ["PUT of synthesize", { method: "PUT", body: "{}" }, 405, "protocol.method_not_allowed", /takes POST/],
  [
    "POST to the stream",
    { path: "/api/v1/stream", body: "{}" },
    405,
    "protocol.method_not_allowed",
    /takes GET/,
  ],
  ["the stream without an upgrade", stream(""), 400, "protocol.invalid_message", /WebSocket/],
  [
    "no content type",
    { headers: { "content-type": "" }, body: "{}" },
    415,
    "protocol.unsupported_media_type",
    /application\/json/,
  ],
  [
    "a form",
    { headers: { "content-type": "application/x-www-form-urlencoded" }, body: "text=Hi" },
    415,
    "protocol.unsupported_media_type",
    /not "application\/x-www/,
  ],
  [
    "a type that begins alike",
    { headers: { "content-type": "application/jsonp" }, body: "{}" },
    415,
    "protocol.unsupported_media_type",
    /jsonp/,
  ],
  [
    "mp3 wanted",
    { headers: { accept: "audio/mpeg" }, body: '{"text":"Hi"}' },
    406,
    "protocol.not_acceptable",
    /audio\/wav/,
  ],
  ["no body", body(""), 400, "protocol.invalid_json", /not JSON/],
  ["half a body", body('{"text":"Hi'), 400, "protocol.invalid_json", /not JSON/],
  [
    "a body that is not UTF-8",
    body(new Uint8Array([0x7b, 0xff, 0x7d])),
    400,
    "protocol.invalid_utf8",
    /UTF-8/,
  ],
  ["a list", body('["Hi"]'), 400, "protocol.invalid_message", /not an array/],
  ["no text", body("{}"), 400, "protocol.invalid_message", /"text" of the body/],
  ["empty text", body('{"text":""}'), 400, "protocol.invalid_message", /something to say/],
  ["only spaces", body('{"text":" \\n\\t"}'), 400, "protocol.invalid_message", /something to say/],
  ["half a character", body('{"text":"a\\udc00"}'), 400, "protocol.invalid_message", /surrogate/],
  ["text as a number", body('{"text":1}'), 400, "protocol.invalid_message", /"text"/],
  ["an unknown field", body('{"text":"Hi","format":"wav"}'), 400, "protocol.invalid_message", /"format"/],
  ["a bad voice", body('{"text":"Hi","voice":"a b"}'), 400, "protocol.invalid_message", /"voice".*letters/],
  [
    "too long a text",
    body(JSON.stringify({ text: "x".repeat(40_001) })),
    400,
    "protocol.invalid_message",
    /40000/,
  ],
  [
    "too long a body",
    body(JSON.stringify({ text: "x".repeat(70_000) })),
    413,
    "protocol.message_too_large",
    /65536/,
  ],
  ["a very long body", body("x".repeat(3_000_000)), 413, "protocol.message_too_large", /65536/],
  [
    "a bad page size",
    { method: "GET", path: "/api/v1/live?limit=many" },
    400,
    "protocol.invalid_message",
    /"limit"/,
  ],
];

const UPGRADES: readonly (readonly [query: string, words: RegExp])[] = [
  ["session_id=short", /"session_id".*8 to 64/],
  ["session_id=has%20a%20space", /"session_id".*letters/],
  ["session_id=", /"session_id"/],
  ["session_id={hash}tag", /"session_id"/],
  ["delivery=slow", /"delivery".*burst.*paced/],
  ["overflow=drop", /"overflow".*wait.*drop-oldest/],
  ["frame_samples=many", /"frame_samples".*number/],
  ["frame_samples=0", /"frame_samples".*120/],
  ["frame_samples=1e9", /"frame_samples".*9600/],
  ["frame_samples=960.5", /"frame_samples".*int/],
];

let alone: EdgeAlone;
beforeAll(async () => {
  alone = await startEdgeAlone({ redisUrl: inject("redisUrl"), hasWorker: false });
});
afterAll(() => alone.close());

const send = ({ method = "POST", path = "/api/v1/synthesize", headers, body: content }: Request) =>
  fetch(new URL(path, alone.edge.url), {
    method,
    headers: { ...(content === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(content === undefined ? {} : { body: content as string }),
    signal: AbortSignal.timeout(5_000),
  });

describe("a malformed request", () => {
  test.each(CASES)("%s: gets its status and a typed error", async (_what, request, status, code, words) => {
    const response = await send(request);
    const answer = (await response.json()) as {
      error: { code: string; message: string };
      request_id: string;
    };
    expect([response.status, answer.error.code]).toEqual([status, code]);
    expect(answer.error.message).toMatch(words);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("x-request-id")).toBe(answer.request_id);
  });

  test.each(UPGRADES)("an upgrade with %s is refused before it happens", async (query, words) => {
    const response = await fetch(new URL(`/api/v1/stream?${query}`, alone.edge.url), {
      headers: {
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      },
    });
    const plain = (await response.json()) as { error: { code: string } };
    expect([response.status, plain.error.code]).toEqual([400, "protocol.invalid_message"]);
    const parameters = Object.fromEntries(new URLSearchParams(query));
    await expect(NativeClient.connect(alone.edge.url, parameters)).rejects.toThrow(words);
    await expect(NativeClient.connect(alone.edge.url, parameters)).rejects.toThrow(/upgrade refused: 400/);
  });

  test("a request id that is not fit for a log is replaced", async () => {
    for (const given of ["has space", "x".repeat(65), "<script>", '"quoted"']) {
      const response = await fetch(new URL("/healthz", alone.edge.url), {
        headers: { "x-request-id": given },
      });
      expect(response.headers.get("x-request-id")).toMatch(/^req_[\w-]{16}$/);
    }
  });

  test("leaves nothing behind", async () => {
    await expect.poll(() => alone.edge.counts()).toEqual({ sessions: 0, utterances: 0, backgroundWork: 0 });
  });
});
