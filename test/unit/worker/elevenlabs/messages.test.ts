import {
  encodeEnd,
  encodeFlush,
  encodeText,
  parseProviderMessage,
} from "@tts-labs/worker/elevenlabs/messages";
import { describe, expect, it } from "vitest";

const parse = (message: unknown) => parseProviderMessage(Buffer.from(JSON.stringify(message)), false);
const PCM = Buffer.from([1, 2, 3, 4]);
const audio = PCM.toString("base64");

describe("a message of the provider", () => {
  it("with audio and timings is speech", () => {
    const alignment = { chars: ["H", "i"], charStartTimesMs: [0, 50], charDurationsMs: [50, 40] };
    expect(parse({ alignment, audio, isFinal: null, normalizedAlignment: null })).toEqual({
      kind: "speech",
      audio: PCM,
      final: false,
      alignment: { chars: ["H", "i"], startMs: [0, 50], durationMs: [50, 40], verbatim: true },
    });
  });

  it.each([
    ["charDurationsMs", { chars: ["a"], charStartTimesMs: [0], charDurationsMs: [9] }],
    ["charsDurationsMs", { chars: ["a"], charStartTimesMs: [0], charsDurationsMs: [9] }],
    ["charsStartTimesMs", { chars: ["a"], charsStartTimesMs: [0], charDurationsMs: [9] }],
    ["snake case", { chars: ["a"], char_start_times_ms: [0], char_durations_ms: [9] }],
  ])("may spell its alignment with %s", (_name, alignment) => {
    expect(parse({ audio, alignment })).toMatchObject({
      alignment: { chars: ["a"], startMs: [0], durationMs: [9] },
    });
  });

  it("has its timings of the text as spoken taken where there are none of the text as sent", () => {
    const spoken = { chars: ["a"], charStartTimesMs: [0], charDurationsMs: [9] };
    expect(parse({ audio, alignment: null, normalizedAlignment: spoken })).toMatchObject({
      alignment: { chars: ["a"], verbatim: false },
    });
    expect(parse({ audio, normalized_alignment: spoken })).toMatchObject({ alignment: { verbatim: false } });
  });

  it.each([
    ["unequal lengths", { chars: ["a", "b"], charStartTimesMs: [0], charDurationsMs: [9] }],
    ["null times", { chars: ["a"], charStartTimesMs: [null], charDurationsMs: [9] }],
    ["negative times", { chars: ["a"], charStartTimesMs: [-1], charDurationsMs: [9] }],
    ["characters that are numbers", { chars: [1], charStartTimesMs: [0], charDurationsMs: [9] }],
    ["nothing", { chars: [], charStartTimesMs: [], charDurationsMs: [] }],
    ["no arrays", { chars: "a", charStartTimesMs: 0, charDurationsMs: 9 }],
  ])("with an alignment of %s keeps its audio and loses only that", (_name, alignment) => {
    expect(parse({ audio, alignment })).toEqual({ kind: "speech", audio: PCM, final: false });
  });

  it.each([
    ["null", { audio: null, isFinal: null }],
    ["empty", { audio: "", isFinal: false }],
    [
      "absent, but there are timings",
      { alignment: { chars: ["a"], charStartTimesMs: [0], charDurationsMs: [1] } },
    ],
  ])("whose audio is %s has none", (_name, message) => {
    expect(parse(message)).toMatchObject({ kind: "speech", audio: Buffer.alloc(0), final: false });
  });

  it.each([
    ["true", { isFinal: true, audio: null }, true],
    ["true in the other casing", { is_final: true }, true],
    ["null", { audio, isFinal: null }, false],
    ["false", { audio, isFinal: false }, false],
    ["absent", { audio }, false],
    ["a word", { audio, isFinal: "true" }, false],
  ])("whose isFinal is %s", (_name, message, final) => {
    expect(parse(message)).toMatchObject({ kind: "speech", final });
  });

  it.each([
    [
      { error: "invalid_api_key", message: "Invalid API key", code: 1008 },
      "invalid_api_key",
      "Invalid API key",
    ],
    [{ error: "quota_exceeded" }, "quota_exceeded", ""],
    [{ error: "something_went_wrong", audio, isFinal: true }, "something_went_wrong", ""],
    [{ code: 1011, message: "it broke" }, "", "it broke"],
    [{ error: true }, "", ""],
    [{ error: { code: "system_busy", message: "busy" } }, "system_busy", "busy"],
    [{ detail: { status: "system_busy", message: "busy" } }, "system_busy", "busy"],
    [
      { detail: [{ loc: ["body"], msg: "field required", type: "missing" }] },
      "validation_error",
      "field required",
    ],
    [{ detail: [null] }, "validation_error", ""],
  ])("%j is an error before anything else", (message, error, text) => {
    expect(parse(message)).toEqual({ kind: "error", error, text });
  });

  it.each([
    ["not JSON", Buffer.from("upstream connect error"), false, "not_json"],
    ["empty", Buffer.alloc(0), false, "not_json"],
    ["binary", Buffer.from([1, 2, 3]), true, "binary"],
    ["an array", Buffer.from("[1]"), false, "not_an_object"],
    ["null", Buffer.from("null"), false, "not_an_object"],
    ["of a type unheard of", Buffer.from('{"flush_done":true}'), false, "unknown"],
    ["audio that is a number", Buffer.from('{"audio":7}'), false, "bad_audio"],
    ["audio that is not base64", Buffer.from('{"audio":"\\u0001\\u0002"}'), false, "bad_audio"],
  ])("that is %s is passed over, with a reason", (_name, data, binary, reason) => {
    expect(parseProviderMessage(data, binary)).toEqual({ kind: "ignored", reason });
  });
});

describe("a message to the provider", () => {
  it("can't be an empty text by mistake: that is the end mark", () => {
    expect(() => encodeText("")).toThrow(RangeError);
    expect(() => encodeFlush("")).toThrow(RangeError);
  });

  it("that flushes carries a space, since without text it may count as the end", () => {
    expect(JSON.parse(encodeFlush())).toEqual({ text: " ", flush: true });
  });

  it("that ends flushes first where text is waiting", () => {
    expect(encodeEnd(true).map((it) => JSON.parse(it))).toEqual([{ text: "", flush: true }, { text: "" }]);
    expect(encodeEnd(false).map((it) => JSON.parse(it))).toEqual([{ text: "" }]);
  });
});
