/** What a flooder sends, over one connection or over many short ones. */
export type Flood =
  /** The same WebSocket frame again and again on one connection, as fast as the network takes it. */
  | { readonly kind: "frames"; readonly frame: Buffer; readonly first?: Buffer }
  /** The same request again and again on one connection, without waiting for answers. */
  | { readonly kind: "requests"; readonly request: string }
  /** A request whose body has no end. */
  | { readonly kind: "endless-body"; readonly head: string }
  /** Connections opened, told this, and dropped after `holdMs`, some at a time, in a loop. */
  | { readonly kind: "connections"; readonly said: Buffer; readonly holdMs: number }
  /** Many connections whose bodies come byte by byte. */
  | { readonly kind: "slow-bodies"; readonly head: string };

const TEXT = 0x81;
const BINARY = 0x82;
const PING = 0x89;
const PONG = 0x8a;
const MASK = Buffer.from([1, 2, 3, 4]);

function frame(opcode: number, payload: string | Buffer): Buffer {
  const bytes = Buffer.from(payload);
  const length =
    bytes.length < 126 ? [128 | bytes.length] : [128 | 126, bytes.length >> 8, bytes.length & 255];
  return Buffer.concat([
    Buffer.from([opcode, ...length]),
    MASK,
    Buffer.from(bytes.map((value, i) => value ^ (MASK[i & 3] ?? 0))),
  ]);
}

const messages = (message: object | string): Flood => ({
  kind: "frames",
  frame: frame(TEXT, typeof message === "string" ? message : JSON.stringify(message)),
});
const get = (path: string, method = "GET"): Extract<Flood, { readonly kind: "requests" }> => ({
  kind: "requests",
  request: `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`,
});
const post = (body: string, path = "/api/v1/synthesize") =>
  `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
const ENDLESS =
  "POST /api/v1/synthesize HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n";
const upgrade = (query = "") =>
  `GET /api/v1/stream${query} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n` +
  "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

/** The same over connections that are given up at once. */
const aborted = ({ request }: Extract<Flood, { readonly kind: "requests" }>): Flood => ({
  kind: "connections",
  said: Buffer.from(request),
  holdMs: 0,
});

export const UPGRADE: string = upgrade();
const TOKEN = "a-token-that-opens-nothing";
const RESUME = frame(TEXT, JSON.stringify({ type: "resume", resume_token: TOKEN }));

/** Each message type, each thing that is none, and each HTTP route. */
export const FLOODS: Readonly<Record<string, Flood>> = {
  text: messages({ type: "text", text: "Flood. " }),
  "whole texts": messages({ type: "text", text: "A flood of whole texts.", end: true }),
  "open and cancel": {
    kind: "frames",
    frame: Buffer.concat([
      ...Array.from({ length: 8 }, () =>
        frame(TEXT, JSON.stringify({ type: "text", text: "A flood of texts.", end: true })),
      ),
      frame(TEXT, JSON.stringify({ type: "cancel" })),
    ]),
  },
  "large texts": messages({ type: "text", text: "Flood. ".repeat(5_000), end: true }),
  flush: messages({ type: "flush" }),
  stream_end: messages({ type: "stream_end" }),
  cancel: messages({ type: "cancel" }),
  played: messages({ type: "played", utterance_id: "utt_x", samples: 1 }),
  prewarm: messages({ type: "prewarm" }),
  ping: messages({ type: "ping" }),
  resume: messages({ type: "resume", resume_token: TOKEN }),
  "unknown type": messages({ type: "flood" }),
  "no JSON": messages("{"),
  "empty messages": messages(""),
  "empty continuations": { kind: "frames", frame: frame(0x00, ""), first: frame(0x01, "") },
  binary: { kind: "frames", frame: frame(BINARY, "flood") },
  "ping frames": { kind: "frames", frame: frame(PING, "") },
  "pong frames": { kind: "frames", frame: frame(PONG, "b1") },
  "GET /healthz": get("/healthz"),
  "HEAD /healthz": get("/healthz", "HEAD"),
  "GET /readyz": get("/readyz"),
  "GET /fastrtc": get("/fastrtc"),
  "GET /api/v1/voices": get("/api/v1/voices"),
  "GET /api/v1/stream": get("/api/v1/stream"),
  "HEAD /fastrtc": get("/fastrtc", "HEAD"),
  "OPTIONS /api/v1/synthesize": get("/api/v1/synthesize", "OPTIONS"),
  "GET /v1/voices": get("/v1/voices"),
  "GET /v1/models": get("/v1/models"),
  "no such route": get("/nothing"),
  "POST with a bad body": { kind: "requests", request: post("{") },
  "POST to /healthz": { kind: "requests", request: post("{}", "/healthz") },
  "POST without end": { kind: "endless-body", head: ENDLESS },
  "POST byte by byte": { kind: "slow-bodies", head: ENDLESS },
  "POST, aborted": {
    kind: "connections",
    said: Buffer.from(post(JSON.stringify({ text: "Hello." }))),
    holdMs: 0,
  },
  "POST, aborted later": {
    kind: "connections",
    said: Buffer.from(post(JSON.stringify({ text: "Hello." }))),
    holdMs: 20,
  },
  "GET /api/v1/voices, aborted": aborted(get("/api/v1/voices")),
  "GET /fastrtc, aborted": aborted(get("/fastrtc")),
  "POST /v1/audio/speech, aborted": aborted({
    kind: "requests",
    request: post(JSON.stringify({ model: "tts-1", voice: "alloy", input: "Hello." }), "/v1/audio/speech"),
  }),
  "upgrades, aborted": { kind: "connections", said: Buffer.from(UPGRADE), holdMs: 0 },
  "sessions, dropped": { kind: "connections", said: Buffer.from(UPGRADE), holdMs: 20 },
  "resumes, refused": {
    kind: "connections",
    said: Buffer.concat([Buffer.from(upgrade("?session_id=flooded-session&resume=true")), RESUME]),
    holdMs: 20,
  },
};
