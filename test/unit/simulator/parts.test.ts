import { defaultSimulatorConfig } from "@tts-labs/simulator/config";
import { Keyring } from "@tts-labs/simulator/credentials";
import { ERROR_NAME_FORM, ERROR_NAMES, findNamedError } from "@tts-labs/simulator/faults/error-names";
import { FaultBoard } from "@tts-labs/simulator/faults/fault-board";
import { FAULTS, parseFault } from "@tts-labs/simulator/faults/faults";
import { toCloseReason } from "@tts-labs/simulator/faults/service-error";
import { Slots } from "@tts-labs/simulator/slots";
import { BoundedMemo } from "@tts-labs/simulator/speech/bounded-memo";
import { passed, Timing } from "@tts-labs/simulator/timing";
import { findModel } from "@tts-labs/simulator/voice/models";
import { findVoice } from "@tts-labs/simulator/voice/voices";
import { Witness } from "@tts-labs/simulator/witness";
import { describe, expect, it } from "vitest";

const forever = new AbortController().signal;

describe("timing", () => {
  const flash = findModel("eleven_flash_v2_5");
  const turbo = findModel("eleven_turbo_v2_5");
  if (flash === undefined || turbo === undefined) throw new Error("the models are gone");
  const measures = (timing: Timing) => [
    timing.upgradeMs(),
    timing.firstAudioMs(flash),
    timing.closeDelayMs(),
  ];

  it("depends on the seed and the connection alone, within the model's bounds", () => {
    const config = defaultSimulatorConfig();
    const all = Array.from({ length: 200 }, (_, connection) => measures(new Timing(config, connection)));
    expect(measures(new Timing(config, 7))).toEqual(all[7]);
    expect(measures(new Timing({ ...config, seed: 2 }, 7))).not.toEqual(all[7]);
    for (const [upgrade = 0, firstAudio = 0, close = 0] of all) {
      expect(Math.abs(upgrade - 180)).toBeLessThanOrEqual(10);
      expect(Math.abs(firstAudio - 240)).toBeLessThanOrEqual(20);
      expect(Math.abs(close - 795)).toBeLessThanOrEqual(5);
    }
    expect(new Set(all.map(([upgrade]) => upgrade)).size).toBeGreaterThan(190);
  });

  it("is scaled, moved by the region, slower for slower models, and has a tail when asked for", () => {
    const config = defaultSimulatorConfig({ upgradeSpreadMs: 0, firstAudioSpreadMs: 0 });
    expect(new Timing({ ...config, timeScale: 0.5 }, 1).upgradeMs()).toBe(90);
    expect(new Timing({ ...config, timeScale: 0 }, 1).firstAudioMs(flash)).toBe(0);
    expect(new Timing({ ...config, regionMs: 50 }, 1).upgradeMs()).toBe(230);
    expect(new Timing(config, 1).firstAudioMs(turbo)).toBe(440);
    expect(new Timing(config, 1).generationMs(2_000)).toBe(100);
    const tail = new Timing({ ...config, upgradeTailPercent: 100 }, 1).upgradeMs();
    expect(tail).toBeGreaterThanOrEqual(1_000);
    expect(tail).toBeLessThanOrEqual(4_000);
  });

  it("ends a wait when the connection ends", async () => {
    const gone = new AbortController();
    const waiting = passed(60_000, gone.signal);
    gone.abort();
    expect(await waiting).toBe(false);
    expect(await passed(0, gone.signal)).toBe(false);
    expect(await passed(0, forever)).toBe(true);
  });
});

describe("slots", () => {
  it("go to whoever has waited longest", async () => {
    const slots = new Slots(1, new Witness(0));
    expect(await slots.enter(0, forever)).toBe(true);
    const order: string[] = [];
    const enter = async (name: string) => {
      if (await slots.enter(5_000, forever)) order.push(name);
      slots.leave();
    };
    const both = [enter("first"), enter("second")];
    slots.leave();
    await Promise.all(both);
    expect(order).toEqual(["first", "second"]);
    expect(slots.taken).toBe(0);
  });

  it("are refused after the wait, and not given to those who have gone", async () => {
    const slots = new Slots(1, new Witness(0));
    await slots.enter(0, forever);
    expect(await slots.enter(1, forever)).toBe(false);
    const gone = new AbortController();
    const waiting = slots.enter(5_000, gone.signal);
    gone.abort();
    expect(await waiting).toBe(false);
    slots.leave();
    expect(slots.taken).toBe(0);
  });
});

describe("the memo", () => {
  it("forgets what was used longest ago when its bound is reached", () => {
    const memo = new BoundedMemo<string>(30);
    for (const key of ["a", "b", "c"]) memo.set(key, key, 10);
    expect(memo.get("a")).toBe("a");
    memo.set("d", "d", 10);
    expect(["a", "b", "c", "d"].map((key) => memo.get(key))).toEqual(["a", undefined, "c", "d"]);
    expect(memo.bytes).toBe(30);
    memo.set("a", "again", 5);
    expect([memo.get("a"), memo.bytes]).toEqual(["again", 25]);
    memo.set("huge", "huge", 31);
    expect([memo.get("huge"), memo.bytes]).toEqual([undefined, 25]);
  });
});

describe("a fault", () => {
  it.each([
    ["odd-pcm", { name: "odd-pcm" }],
    ["drop-after-audio:500", { name: "drop-after-audio", afterMs: 500 }],
    ["stall-mid-segment_1000_300", { name: "stall-mid-segment", afterMs: 1_000, forMs: 300 }],
    ["odd-pcm:1", undefined],
    ["drop-after-audio:", undefined],
    ["drop-after-audio:-1", undefined],
    ["stall-before-audio:600001", undefined],
    ["named-error:voice_access_denied", { name: "named-error", errorName: "voice_access_denied" }],
    ["named-error_voice_access_denied", { name: "named-error", errorName: "voice_access_denied" }],
    ["named-error", { name: "named-error" }],
    ["named-error:", undefined],
    [
      "error-mid-stream:500:system_busy",
      { name: "error-mid-stream", afterMs: 500, errorName: "system_busy" },
    ],
    ["error-mid-stream:system_busy", undefined],
    ["alignment-long_250", { name: "alignment-long", byMs: 250 }],
    ["alignment-long:250:1", undefined],
    ["toString", undefined],
    ["", undefined],
  ])("written %j is %j", (written, fault) => {
    expect(parseFault(written)).toEqual(fault);
  });

  it("of any name fits a voice's id, and makes no other voice", () => {
    for (const name of Object.keys(FAULTS)) {
      const id = `simEnglishGrace0000A_fault_${name}`;
      expect(id).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
      expect(findVoice(id)?.name).toBe("Grace");
    }
    expect(findVoice("simEnglishGrace0000A_fault_nothing")).toBeUndefined();
  });

  it("can't be ordered without bound", () => {
    const board = new FaultBoard();
    expect(() => board.order({ name: "odd-pcm" }, 0)).toThrow(RangeError);
    expect(() => board.order({ name: "odd-pcm" }, 1.5)).toThrow(RangeError);
    for (let i = 0; i < 100; i++) board.order({ name: "odd-pcm" }, 1, `voice${i}`);
    expect(() => board.order({ name: "odd-pcm" }, 1)).toThrow("100 orders");
    expect(board.take("nobody")).toBeUndefined();
    expect(board.take("voice7")).toEqual({ name: "odd-pcm" });
    expect(board.take("voice7")).toBeUndefined();
  });

  it("of lists of voices waits for one, whatever is spoken meanwhile", () => {
    const board = new FaultBoard();
    board.order({ name: "voices-many" }, 1);
    expect(board.take("anybody")).toBeUndefined();
    expect(board.takeForListing()).toEqual({ name: "voices-many" });
    expect(board.takeForListing()).toBeUndefined();
  });
});

describe("an error's name", () => {
  it("has its HTTP form, by its newer and its older name, and also where nobody knows it", () => {
    const byLegacy = findNamedError("output_format_not_allowed");
    expect(byLegacy).toEqual(findNamedError("subscription_required"));
    expect(byLegacy).toMatchObject({ httpStatus: 403, code: "subscription_required" });
    expect(findNamedError("never_heard_of")).toMatchObject({ httpStatus: 400, code: "never_heard_of" });
    expect(ERROR_NAMES.length).toBeGreaterThan(90);
    for (const name of ERROR_NAMES) expect(name).toMatch(ERROR_NAME_FORM);
  });
});

describe("the keyring", () => {
  it("forgets the oldest of too many tokens", () => {
    const keyring = new Keyring("a, b");
    expect(["a", "b", "c", ""].map((key) => keyring.judgeKey(key))).toEqual(["good", "good", "bad", "bad"]);
    const first = keyring.issueToken();
    const second = keyring.issueToken();
    for (let i = 0; i < 9_999; i++) keyring.issueToken();
    const show = (token: string) => keyring.judge({}, new URLSearchParams({ single_use_token: token }));
    expect([show(first), show(second), show(second)]).toEqual(["bad", "good", "bad"]);
    expect(keyring.judge({}, new URLSearchParams())).toBe("none");
  });
});

describe("the witness", () => {
  it("remembers the last connections and of each the last messages", () => {
    const witness = new Witness(2);
    const connect = (id: number) =>
      witness.connected({ id, route: "stream-input", voice: "v", query: {}, fault: undefined });
    const [first] = [connect(1), connect(2), connect(3)];
    const last = connect(4);
    for (let i = 0; i < 510; i++) last.received({ text: "x".repeat(3_000) });
    first.closed(1000, "", false);
    first.closed(1006, "", true);
    const { log, closes, closedWithoutEnd, connections } = witness.report();
    expect(log.map(({ id }) => id)).toEqual([3, 4]);
    expect([log[1]?.messages.length, log[1]?.messagesForgotten]).toEqual([500, 10]);
    expect(log[1]?.messages[0]?.text).toHaveLength(2_000);
    expect([closes, closedWithoutEnd, connections.open]).toEqual([{ 1000: 1 }, 0, 3]);
  });
});

describe("a close reason", () => {
  it("is cut at 123 bytes, never inside a character", () => {
    expect(toCloseReason("short")).toBe("short");
    expect(toCloseReason("x".repeat(200))).toHaveLength(123);
    expect(toCloseReason("ü".repeat(100))).toBe("ü".repeat(61));
  });
});
