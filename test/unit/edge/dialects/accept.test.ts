import { parseAccept } from "@tts-labs/edge/dialects/accept";
import { describe, expect, test } from "vitest";

describe("an Accept header", () => {
  test.each([
    ["", "json"],
    ["*/*", "json"],
    ["application/json", "json"],
    ["audio/wav", "wav"],
    ["AUDIO/WAV; q=0.9", "wav"],
    ["audio/*", "wav"],
    ["audio/pcm", "pcm"],
    ["application/octet-stream", "pcm"],
    ["audio/aac, audio/wav;q=0.5, */*;q=0.1", "wav"],
    ["audio/mpeg, audio/wav;q=0.5, */*;q=0.1", "mp3"],
    ["audio/ogg", "opus"],
    ["audio/flac", "flac"],
    ["audio/basic", "mulaw"],
    ["application/json;q=0.2, audio/pcm;q=0.8", "pcm"],
    ["text/html, application/xhtml+xml, */*;q=0.8", "json"],
  ])("%j is answered with %s", (accept, format) => {
    expect(parseAccept(accept)).toBe(format);
  });

  test.each(["audio/aac", "text/html, image/png", "audio/wav;q=0", "nonsense", "audio/wav;q=x"])(
    "%j can't be satisfied, and the error says what could",
    (accept) => {
      expect(() => parseAccept(accept)).toThrow(/audio\/wav, audio\/pcm/);
    },
  );
});
