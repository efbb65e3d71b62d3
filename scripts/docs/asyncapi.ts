import { listenQuerySchema } from "@tts-labs/edge/dialects/listen/query";
import { nativeQuerySchema } from "@tts-labs/edge/dialects/native/query";
import { AUDIO_FRAME_HEADER_BYTES, AUDIO_FRAME_VERSION } from "@tts-labs/protocol/audio-frame";
import { clientMessageSchemas } from "@tts-labs/protocol/client-message";
import { listenMessageSchemas } from "@tts-labs/protocol/listen-message";
import { serverMessageSchemas } from "@tts-labs/protocol/server-message";
import type { z } from "zod";
import { closeCodeRows } from "./errors-page.ts";
import { markdownTable, titleOf, toJsonSchema } from "./json-schema.ts";
import { clientExamples, listenExamples, serverExamples } from "./message-examples.ts";

/** The audio frame's header, field by field; a test decodes real frames by these rows. */
export const AUDIO_FRAME_FIELDS = [
  { offset: 0, bytes: 1, name: "version", meaning: `${AUDIO_FRAME_VERSION}` },
  {
    offset: 1,
    bytes: 1,
    name: "flags",
    meaning: "bit 0 last frame of the utterance, bit 1 payload deflated (raw DEFLATE), bit 2 splice",
  },
  { offset: 2, bytes: 2, name: "reserved", meaning: "0" },
  { offset: 4, bytes: 4, name: "utterance", meaning: "its number in the session, from 1" },
  {
    offset: 8,
    bytes: 4,
    name: "first_sample",
    meaning: "number of the payload's first sample, from 0, on the utterance's own clock",
  },
  {
    offset: 12,
    bytes: 4,
    name: "seq",
    meaning: "stream entry that the frame's last sample came from; the position to resume from",
  },
] as const;

/** `WS /api/v1/stream` and `WS /api/v1/listen` as an AsyncAPI 3.0 document. */
export function asyncApiDocument(): object {
  const clientTypes = Object.keys(clientMessageSchemas) as (keyof typeof clientMessageSchemas)[];
  const serverTypes = Object.keys(serverMessageSchemas) as (keyof typeof serverMessageSchemas)[];
  const client = clientTypes.map((type) =>
    jsonMessage(type, clientMessageSchemas[type], clientExamples[type]),
  );
  const server = serverTypes.map((type) =>
    jsonMessage(type, serverMessageSchemas[type], serverExamples[type]),
  );
  const listenTypes = Object.keys(listenMessageSchemas) as (keyof typeof listenMessageSchemas)[];
  const listen = listenTypes.map((type) =>
    jsonMessage(type, listenMessageSchemas[type], listenExamples[type], "Listen"),
  );
  const listenMessages = Object.fromEntries([...listen, ["Audio", AUDIO_MESSAGE]]);
  const messages = Object.fromEntries([...client, ...server, ["Audio", AUDIO_MESSAGE]]);
  const inChannel = (names: readonly string[]) =>
    names.map((name) => ({ $ref: `#/channels/stream/messages/${name}` }));

  return {
    asyncapi: "3.0.0",
    info: {
      title: "tts-labs speech stream",
      version: "1.0.0",
      description: ABOUT,
      license: { name: "MIT" },
    },
    defaultContentType: "application/json",
    servers: {
      local: {
        host: "127.0.0.1:8006",
        protocol: "ws",
        description: "An edge as `npm start` brings it up.",
      },
    },
    channels: {
      stream: {
        address: "/api/v1/stream",
        title: "One session",
        description: CHANNEL,
        servers: [{ $ref: "#/servers/local" }],
        messages: Object.fromEntries(
          Object.keys(messages).map((name) => [name, { $ref: `#/components/messages/${name}` }]),
        ),
        bindings: {
          ws: { method: "GET", query: toJsonSchema(nativeQuerySchema, "draft-7"), bindingVersion: "0.1.0" },
        },
      },
      listen: {
        address: "/api/v1/listen",
        title: "One listener",
        description: LISTEN,
        servers: [{ $ref: "#/servers/local" }],
        messages: Object.fromEntries(
          Object.keys(listenMessages).map((name) => [name, { $ref: `#/components/messages/${name}` }]),
        ),
        bindings: {
          ws: { method: "GET", query: toJsonSchema(listenQuerySchema, "draft-7"), bindingVersion: "0.1.0" },
        },
      },
    },
    operations: {
      receiveFromClient: {
        action: "receive",
        summary: "What a client may send: JSON text messages.",
        channel: { $ref: "#/channels/stream" },
        messages: inChannel(client.map(([name]) => name)),
      },
      sendToClient: {
        action: "send",
        summary: "What the edge sends: JSON text messages, and audio in binary ones.",
        channel: { $ref: "#/channels/stream" },
        messages: inChannel([...server.map(([name]) => name), "Audio"]),
      },
      sendToListener: {
        action: "send",
        summary: "What a listener gets: JSON text messages, and the session's audio in binary ones.",
        channel: { $ref: "#/channels/listen" },
        messages: Object.keys(listenMessages).map((name) => ({ $ref: `#/channels/listen/messages/${name}` })),
      },
    },
    components: { messages: { ...listenMessages, ...messages } },
  };
}

function jsonMessage(
  type: string,
  schema: z.ZodType,
  examples: readonly object[],
  prefix = "",
): readonly [name: string, message: object] {
  const { description, ...payload } = toJsonSchema(schema, "draft-7");
  return [
    `${prefix}${titleOf(type)}`,
    {
      name: type,
      title: type,
      summary: description,
      payload,
      examples: examples.map((payload) => ({ payload })),
    },
  ];
}

const AUDIO_MESSAGE = {
  name: "audio",
  title: "audio frame (binary)",
  summary: "A run of samples: mono 16-bit little-endian PCM behind a small header.",
  contentType: "application/octet-stream",
  description: [
    `A binary message: a header of ${AUDIO_FRAME_HEADER_BYTES} bytes, its integers little-endian and without sign, then the samples.`,
    "",
    markdownTable(
      ["offset", "bytes", "field", "meaning"],
      [
        ...AUDIO_FRAME_FIELDS.map(({ offset, bytes, name, meaning }) => [
          String(offset),
          String(bytes),
          name,
          meaning,
        ]),
        [String(AUDIO_FRAME_HEADER_BYTES), "…", "payload", "samples"],
      ],
    ),
    "",
    "Every frame but the last of an utterance has exactly `frame_samples` samples, or with `adaptive_frames` one of",
    "`frame_samples`, 1,920, 960, 480 and 240; the last has what is left, which may be none. Nothing is padded, so the payloads of one utterance joined together are what the provider spoke, byte for byte.",
    "With the splice flag, a player drops what it holds of the utterance from `first_sample` on and goes on with this frame.",
  ].join("\n"),
  payload: { type: "string", format: "binary" },
  "x-header-fields": AUDIO_FRAME_FIELDS,
};

const ABOUT = `Send text, hear speech. Text may come token by token, as a language model writes it; audio comes back
as soon as the provider has spoken the first of it.

A session in short:

1. Connect. The edge says \`connected\` with what it will send: sample rate, frame size, voice.
2. Send \`text\`, as often as you like, then \`stream_end\`. The first \`text\` opens an utterance (\`utterance_started\`) and
   is the only one whose options (voice, model, …) count.
3. Play the binary messages in the order they come. \`alignment\` and \`words\` say when what is heard.
4. \`stream_complete\` closes the utterance; the next \`text\` opens the next. Utterances of one session are spoken one after
   the other, in order.

A message that can't be understood is answered by an \`error\` that names the field, and changes nothing else. An error with
an \`utterance_id\` has ended that utterance; the session goes on. All codes: [errors.md](errors.md).

This document is written by \`scripts/generate-docs.ts\` from the schemas in \`packages/core/src/protocol\`, which the edge
parses and the tests check every message with.`;

const LISTEN = [
  "Any number of listeners hear what one session speaks, in real time, on any edge. The session mints the token; a listener",
  "sends nothing. One that lost its connection goes on with `from=utterance:sample`, the first sample that it misses.",
  "Close codes are those of `/api/v1/stream`; 1000: the session has ended.",
].join("\n");

const CHANNEL = [
  "Close codes. 4000–4499: come back, and resume if you can. 4500–4999: not until something changes.",
  "",
  markdownTable(
    ["code", "reason", "meaning"],
    [
      [
        "1000",
        "",
        "The client closed: its session ends at once. (So does a close without a code; every other loss leaves it to be resumed.)",
      ],
      ...closeCodeRows(),
    ],
  ),
].join("\n");
