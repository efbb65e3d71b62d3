import { reconnectPauseMs } from "@tts-labs/client/backoff";
import { Endpoints } from "@tts-labs/client/endpoints";
import { fromClose, mayComeBack, SpeechError } from "@tts-labs/client/speech-error";
import { describe, expect, it } from "vitest";

describe("the pauses between attempts", () => {
  it("begin with nearly nothing, double, and stay bounded", () => {
    const longest = Array.from({ length: 12 }, (_, attempt) => reconnectPauseMs(attempt, 1));
    expect(longest.slice(0, 8)).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    expect(Math.max(...longest)).toBe(5_000);
  });

  it("are scattered, so that clients of a fallen server do not all come at once", () => {
    expect(reconnectPauseMs(0, 0)).toBe(0);
    for (let attempt = 1; attempt < 12; attempt++) {
      expect(reconnectPauseMs(attempt, 0)).toBe(reconnectPauseMs(attempt, 1) / 2);
    }
  });
});

describe("which server is next", () => {
  it("is the same one, the next of the list, or what a function says then", () => {
    const one = new Endpoints("http://a");
    one.passOn();
    expect([one.count, one.current()]).toEqual([1, "http://a"]);

    const several = new Endpoints(["http://a", "http://b"]);
    const seen = [0, 1, 2].map(() => {
      const current = several.current();
      several.passOn();
      return current;
    });
    expect([several.count, seen]).toEqual([2, ["http://a", "http://b", "http://a"]]);

    let port = 1;
    const asked = new Endpoints(() => `http://a:${port++}`);
    expect([asked.count, asked.current(), asked.current()]).toEqual([1, "http://a:1", "http://a:2"]);

    expect(() => new Endpoints([]).current()).toThrow(RangeError);
  });
});

describe("whether to come back", () => {
  it("is said by the close code: below 4500 yes, from there on no", () => {
    const codes = [1_001, 1_006, 1_012, 4_001, 4_002, 4_008, 4_011, 4_429, 4_499];
    expect(codes.filter((code) => !mayComeBack(fromClose(code, "")))).toEqual([]);
    const final = [4_500, 4_501, 4_504, 4_505, 4_508, 4_510, 4_999];
    expect(final.filter((code) => mayComeBack(fromClose(code, "")))).toEqual([]);
  });

  it("is not so after close(), or what nobody understands", () => {
    for (const code of ["client.closed", "client.not_understood"] as const) {
      expect(mayComeBack(new SpeechError(code))).toBe(false);
    }
    expect(mayComeBack(new SpeechError("client.unresponsive"))).toBe(true);
    expect(mayComeBack(new SpeechError("storage.unavailable", "Redis is away.", { retryable: true }))).toBe(
      true,
    );
  });
});
