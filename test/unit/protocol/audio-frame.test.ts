import { encodeAudioFrame, parseAudioFrame } from "@tts-labs/protocol/audio-frame";
import { describe, expect, it } from "vitest";

describe("an audio frame", () => {
  it("comes back as it was encoded", () => {
    const header = {
      utterance: 7,
      firstSample: 4_294_967_295,
      seq: 12,
      last: true,
      deflated: false,
      splice: true,
    };
    const payload = Uint8Array.of(1, 2, 3, 4);
    expect(parseAudioFrame(encodeAudioFrame(header, payload))).toEqual({ ...header, payload });
  });

  it("shorter than its header is refused", () => {
    expect(() => parseAudioFrame(new Uint8Array(15))).toThrow(RangeError);
  });

  it("of another version is refused", () => {
    const frame = encodeAudioFrame(
      { utterance: 1, firstSample: 0, seq: 1, last: false, deflated: false, splice: false },
      new Uint8Array(2),
    );
    frame[0] = 9;
    expect(() => parseAudioFrame(frame)).toThrow("version 9");
  });
});
