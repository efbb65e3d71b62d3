import { type AudioFrameHeader, encodeAudioFrame } from "@tts-labs/protocol/audio-frame";
import { clientMessageSchemas, parseClientMessage } from "@tts-labs/protocol/client-message";
import { encodeListenMessage, listenMessageSchemas } from "@tts-labs/protocol/listen-message";
import { encodeServerMessage, serverMessageSchemas } from "@tts-labs/protocol/server-message";
import { describe, expect, test } from "vitest";
import { AUDIO_FRAME_FIELDS } from "../../../scripts/docs/asyncapi.ts";
import { titleOf } from "../../../scripts/docs/json-schema.ts";
import { clientExamples, listenExamples, serverExamples } from "../../../scripts/docs/message-examples.ts";
import { partAt, readDocument, referencesOf, resolveReference } from "./document.ts";

const document = await readDocument("docs/asyncapi.yaml");
const messages = partAt(document, "components", "messages");

describe("docs/asyncapi.yaml", () => {
  test("every message type of the code is a message of the document, and no other", () => {
    const types = [...Object.keys(clientMessageSchemas), ...Object.keys(serverMessageSchemas)];
    const ofListeners = Object.keys(listenMessageSchemas).map((type) => `Listen${titleOf(type)}`);
    expect(Object.keys(messages).sort()).toEqual([...types.map(titleOf), ...ofListeners, "Audio"].sort());
  });

  test("every reference leads somewhere", () => {
    const references = referencesOf(document);
    expect(references.length).toBeGreaterThan(30);
    for (const reference of references) resolveReference(document, reference);
  });

  test("every message is sent or received by an operation", () => {
    const used = referencesOf(partAt(document, "operations")).filter((it) => it.includes("/messages/"));
    const names = new Set(used.map((it) => it.split("/").at(-1)));
    expect([...names].sort()).toEqual(Object.keys(messages).sort());
  });

  test("every message says what it is for", () => {
    for (const name of Object.keys(messages)) {
      expect(partAt(messages, name)["summary"], name).toMatch(/\.$/);
    }
  });
});

describe("the examples", () => {
  for (const [type, examples] of Object.entries(clientExamples)) {
    test(`of "${type}" are understood by the edge's parser`, () => {
      expect(examples.length).toBeGreaterThan(0);
      for (const example of examples) {
        expect(parseClientMessage(Buffer.from(JSON.stringify(example)))).toEqual(example);
      }
    });
  }
  for (const [type, examples] of Object.entries(serverExamples)) {
    test(`of "${type}" are what the edge may send`, () => {
      expect(examples.length).toBeGreaterThan(0);
      const schema = serverMessageSchemas[type as keyof typeof serverMessageSchemas].strict();
      for (const example of examples)
        expect(schema.parse(JSON.parse(encodeServerMessage(example)))).toEqual(example);
    });
  }
  for (const [type, examples] of Object.entries(listenExamples)) {
    test(`of "${type}" are what a listener may be sent`, () => {
      expect(examples.length).toBeGreaterThan(0);
      const schema = listenMessageSchemas[type as keyof typeof listenMessageSchemas].strict();
      for (const example of examples)
        expect(schema.parse(JSON.parse(encodeListenMessage(example)))).toEqual(example);
    });
  }
});

test("a real audio frame is laid out as the document says", () => {
  const header: AudioFrameHeader = {
    utterance: 7,
    firstSample: 4_000_000_001,
    seq: 12,
    last: true,
    deflated: false,
    splice: true,
  };
  const frame = encodeAudioFrame(header, Uint8Array.of(1, 2, 3, 4));
  const view = new DataView(frame.buffer);
  const read = ({ offset, bytes }: { offset: number; bytes: number }) =>
    bytes === 1
      ? view.getUint8(offset)
      : bytes === 2
        ? view.getUint16(offset, true)
        : view.getUint32(offset, true);
  expect(Object.fromEntries(AUDIO_FRAME_FIELDS.map((field) => [field.name, read(field)]))).toEqual({
    version: 1,
    flags: 0b101,
    reserved: 0,
    utterance: 7,
    first_sample: 4_000_000_001,
    seq: 12,
  });
  const end = AUDIO_FRAME_FIELDS.reduce((sum, { bytes }) => sum + bytes, 0);
  expect([...frame.subarray(end)]).toEqual([1, 2, 3, 4]);
});
