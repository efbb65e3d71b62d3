import { Door, isOrigin } from "@tts-labs/core/http/door";
import { describe, expect, test } from "vitest";

const codeOf = (door: Door, host: string, origin = "") => door.refusal({ host, origin })?.code;
const HOST = "authentication.host_refused";
const ORIGIN = "authentication.origin_refused";

describe("the door of a server on a loopback address", () => {
  const door = new Door({ boundTo: "127.0.0.1" });

  test.each([
    ...["localhost", "localhost:8006", "LocalHost:8006", "localhost.:8006", "127.0.0.1:8006", "127.9.9.9"],
    ...["[::1]:8006", "[::1]"],
  ])("answers to %s", (host) => {
    expect(codeOf(door, host)).toBeUndefined();
  });

  test.each([
    ...["evil.example", "evil.example:8006", "localhost.evil.example", "127.0.0.1.evil.example", ""],
    ...["localhost:8006@evil.example", "evil.example/localhost", "localhost evil", "0.0.0.0:8006"],
    ...["[::1].evil.example", "localhost:port", "192.168.1.7:8006", "a".repeat(16_000), ".".repeat(16_000)],
  ])("refuses a Host of %s, whatever the Origin", (host) => {
    expect(codeOf(door, host)).toBe(HOST);
    expect(codeOf(door, host, `http://${host}`)).toBe(HOST);
  });

  test("answers to the names its operator lists, as well", () => {
    const listed = new Door({ boundTo: "::1", allowedHosts: ["TTS.example.com"] });
    expect(codeOf(listed, "tts.example.com")).toBeUndefined();
    expect(codeOf(listed, "localhost:8006")).toBeUndefined();
    expect(codeOf(listed, "other.example.com")).toBe(HOST);
  });
});

describe("the door of a server on any other address", () => {
  test("answers to every name until some are listed, then to those, to addresses and to this machine", () => {
    const open = new Door({ boundTo: "0.0.0.0" });
    expect(codeOf(open, "anything.example:80")).toBeUndefined();
    const listed = new Door({ boundTo: "::", allowedHosts: ["tts.example.com"] });
    for (const host of ["tts.example.com:8006", "10.1.2.3:8006", "[fd00::1]:8006", "localhost"]) {
      expect(codeOf(listed, host), host).toBeUndefined();
    }
    expect(codeOf(listed, "evil.example")).toBe(HOST);
  });
});

describe("the Origin of a request", () => {
  const door = new Door({ boundTo: "127.0.0.1", allowedOrigins: ["https://app.example.com"] });

  test.each([
    ["absent, as of programs", "localhost:8006", ""],
    ["of the very same host and port", "localhost:8006", "http://localhost:8006"],
    ["in other letters", "LOCALHOST:8006", "HTTP://localhost:8006"],
    ["on the scheme's own port", "localhost", "https://localhost:443"],
    ["listed", "localhost:8006", "https://app.example.com"],
  ])("passes %s", (_what, host, origin) => {
    expect(codeOf(door, host, origin)).toBeUndefined();
  });

  test.each([
    ["foreign", "https://evil.example"],
    ["null", "null"],
    ["of another port of this machine", "http://localhost:3000"],
    ["of this machine's own name without the port", "http://localhost"],
    ["of another name of this machine", "http://127.0.0.1:8006"],
    ["that begins like a listed one", "https://app.example.com.evil.example"],
    ["that is listed with another scheme", "http://app.example.com"],
    ["with a path", "http://localhost:8006/"],
    ["with another host's credentials", "http://localhost:8006@evil.example"],
    ["of an extension", "chrome-extension://abcdefgh"],
    ["that is none", "localhost:8006"],
    ["twice", "http://localhost:8006, https://evil.example"],
  ])("is refused where it is %s", (_what, origin) => {
    expect(codeOf(door, "localhost:8006", origin)).toBe(ORIGIN);
  });

  test("may be any but null where the operator says *", () => {
    const open = new Door({ boundTo: "127.0.0.1", allowedOrigins: ["*"] });
    expect(codeOf(open, "localhost", "https://evil.example")).toBeUndefined();
    expect(codeOf(open, "localhost", "null")).toBe(ORIGIN);
  });

  test("of a listed site is named in the answer, so that its page may read it; no other ever is", () => {
    expect(door.answerHeaders("https://app.example.com")).toMatchObject({
      "access-control-allow-origin": "https://app.example.com",
      vary: "origin",
    });
    for (const origin of ["", "null", "https://evil.example", "http://localhost:8006"]) {
      expect(door.answerHeaders(origin)).toEqual({ vary: "origin" });
      expect(door.preflightHeaders(origin, ["GET"])).toEqual({});
    }
  });

  test("is told from what no browser would send", () => {
    for (const right of ["https://a.example", "http://localhost:3000", "http://[::1]:80"]) {
      expect(isOrigin(right), right).toBe(true);
    }
    for (const wrong of ["a.example", "https://a.example/", "ftp://a.example", "https://"]) {
      expect(isOrigin(wrong), wrong).toBe(false);
    }
  });
});
