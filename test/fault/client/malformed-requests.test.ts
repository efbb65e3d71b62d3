import { connect } from "node:net";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import type { ErrorCode } from "@tts-labs/protocol/errors";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { WebSocket } from "ws";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";

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
    "AIFF wanted",
    { headers: { accept: "audio/aiff" }, body: '{"text":"Hi"}' },
    406,
    "protocol.not_acceptable",
    /audio\/wav/,
  ],
  ["no body", body(""), 400, "protocol.invalid_json", /body is empty.*\{"text":"Hello\."\}/],
  ["no JSON", body("text=Hi"), 400, "protocol.invalid_json", /body is not JSON.*\{"text":"Hello\."\}/],
  ...["gzip", "br", "deflate", "gzip, identity", "zstd"].map(
    (encoding): Case => [
      `a body in ${encoding}`,
      {
        headers: { "content-type": "application/json", "content-encoding": encoding },
        body: gzipSync('{"text":"Hi"}'),
      },
      ...([415, "protocol.unsupported_media_type", new RegExp(`content-encoding is "${encoding}"`)] as const),
    ],
  ),
  [
    "a body that says it is Latin-1",
    { headers: { "content-type": "application/json; charset=iso-8859-1" }, body: '{"text":"Hi"}' },
    415,
    "protocol.unsupported_media_type",
    /UTF-8.*iso-8859-1/,
  ],
  [
    "a body in Latin-1",
    body(Buffer.from('{"text":"Grüße"}', "latin1")),
    400,
    "protocol.invalid_utf8",
    /body is not valid UTF-8/,
  ],
  [
    "a body in UTF-16",
    body(Buffer.from('\ufeff{"text":"Hi"}', "utf16le")),
    400,
    "protocol.invalid_utf8",
    /UTF-8/,
  ],
  ["a field twice", body('{"text":"Hi","text":"Ho"}'), 400, "protocol.invalid_message", /field "text" twice/],
  [
    "a field twice, once in escapes",
    body('{"text":"Hi", "te\\u0078t" : "Ho"}'),
    400,
    "protocol.invalid_message",
    /field "text" twice/,
  ],
  ["a bomb of arrays", body("[".repeat(60_000)), 400, "protocol.invalid_json", /not JSON/],
  [
    "a bomb of closed arrays",
    body(`{"text":${"[".repeat(30_000)}${"]".repeat(30_000)}}`),
    400,
    "protocol.invalid_message",
    /nested deeper than 16/,
  ],
  [
    "a bomb of objects",
    body(`${'{"text":'.repeat(6_000)}1${"}".repeat(6_000)}`),
    400,
    "protocol.invalid_message",
    /nested deeper than 16/,
  ],
  [
    "an empty field name many times",
    body(`{${'"":1,'.repeat(9_000)}"":1}`),
    400,
    "protocol.invalid_message",
    /twice/,
  ],
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
  ["an unknown field", body('{"text":"Hi","fromat":"wav"}'), 400, "protocol.invalid_message", /"fromat"/],
  ["a format that is none", body('{"text":"Hi","format":"aiff"}'), 406, "protocol.not_acceptable", /wav/],
  ["a bad voice", body('{"text":"Hi","voice":"a b"}'), 400, "protocol.invalid_message", /"voice".*letters/],
  [
    "too long a text",
    body(JSON.stringify({ text: "x".repeat(40_001) })),
    413,
    "capacity.text_too_long",
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
];

const UPGRADES: readonly (readonly [query: string, words: RegExp])[] = [
  ["session_id=", /"session_id".*1 to 128 printable/],
  [`session_id=${"x".repeat(129)}`, /"session_id".*1 to 128/],
  ["session_id=line%0Aend", /"session_id"/],
  ["session_id=head%0D%0Aset-cookie:%20a=b", /"session_id"/],
  ["session_id=nul%00", /"session_id"/],
  ["session_id=turned%E2%80%AEround", /"session_id"/],
  ["session_id=paragraph%E2%80%A9end", /"session_id"/],
  ["delivery=slow", /"delivery".*burst.*paced/],
  ["overflow=drop", /"overflow".*wait.*drop-oldest/],
  ["frame_samples=many", /"frame_samples".*number/],
  ["frame_samples=0", /"frame_samples".*120/],
  ["frame_samples=1e9", /"frame_samples".*9600/],
  ["frame_samples=960.5", /"frame_samples".*int/],
];

const UPGRADE = { "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" };

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
    const response = await fetch(new URL(`/api/v1/stream?${query}`, alone.edge.url), { headers: UPGRADE });
    const plain = (await response.json()) as { error: { code: string } };
    expect([response.status, plain.error.code]).toEqual([400, "protocol.invalid_message"]);
    const parameters = Object.fromEntries(new URLSearchParams(query));
    await expect(NativeClient.connect(alone.edge.url, parameters)).rejects.toThrow(words);
    await expect(NativeClient.connect(alone.edge.url, parameters)).rejects.toThrow(/upgrade refused: 400/);
  });

  test.each([
    ["session_id=100%", /"100%" is not percent-encoded/],
    ["session_id=%FF%FE", /percent-encoded/],
    ["session_id=%ED%A0%80", /percent-encoded/],
    ["session_id=a&session_id=b", /"session_id" twice/],
  ])("a query of %s is refused with what would be right", async (query, words) => {
    const response = await fetch(`${alone.edge.url}/api/v1/stream?${query}`, { headers: UPGRADE });
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    // Without `connection: upgrade`, which fetch does not send, the route answers before the query is read.
    expect([response.status, error.code]).toEqual([400, "protocol.invalid_message"]);
    const socket = new WebSocket(`${alone.edge.url.replace("http", "ws")}/api/v1/stream?${query}`);
    const told = await new Promise<string>((resolve, reject) => {
      socket.on("unexpected-response", (_request, answer) =>
        answer.on("data", (part) => resolve(String(part))),
      );
      socket.on("error", reject);
    });
    expect((JSON.parse(told) as { error: { message: string } }).error.message).toMatch(words);
  });

  test("the body may begin with a byte order mark, and come in chunks of no announced length", async () => {
    const parts = ['\ufeff{"text":', '" ", "voice"', ':"Grace"}'].map((it) => Buffer.from(it));
    const response = await fetch(new URL("/api/v1/synthesize", alone.edge.url), {
      method: "POST",
      headers: { "content-type": "application/json; charset=UTF-8" },
      body: Readable.toWeb(Readable.from(parts)),
      duplex: "half",
    } as RequestInit);
    const { error } = (await response.json()) as { error: { message: string } };
    expect(error.message).toMatch(/"text" of the body: must hold something to say/);
  });

  test.each([
    ["shorter than the body", "10", /^HTTP\/1\.1 (400|505) /],
    ["no number", "many", /^HTTP\/1\.1 400 /],
    ["below zero", "-5", /^HTTP\/1\.1 400 /],
    ["beyond all numbers", "9".repeat(40), /^HTTP\/1\.1 (400|413) /],
  ])(
    "a content-length that is %s is refused, and its connection closed or in step",
    async (_what, length, words) => {
      const socket = connect(alone.edge.port, "127.0.0.1");
      let told = "";
      socket.on("data", (part: Buffer) => {
        told += part.toString();
      });
      socket.on("error", () => {});
      socket.write(
        `POST /api/v1/synthesize HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n` +
          `content-length: ${length}\r\n\r\n{"text":"What is behind its end is no request."}`,
      );
      await expect.poll(() => told).toMatch(words);
      socket.destroy();
    },
  );

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
