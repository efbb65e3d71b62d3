import { OutgoingText } from "@tts-labs/worker/elevenlabs/text/outgoing-text";
import { OwedSpeech, speakableCharacters } from "@tts-labs/worker/elevenlabs/text/owed-speech";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

describe("text on its way to the provider", () => {
  it("arrives as it was given, in pieces that are never empty nor white space alone", () => {
    const piece = fc.oneof(fc.constantFrom(" ", "\n", "", "wo", "rd", ". ", "!"), fc.string());
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.boolean(), (pieces, wholeWords) => {
        const text = new OutgoingText({ wholeWords });
        const sent = [...pieces.map((it) => text.push(it)), text.release()].filter((it) => it !== undefined);
        for (const it of sent) expect(it.trim()).not.toBe("");
        const given = pieces.join("");
        const arrived = sent.join("");
        expect(given.startsWith(arrived)).toBe(true);
        expect(given.slice(arrived.length).trim()).toBe("");
      }),
      { seed: 4, numRuns: 2_000 },
    );
  });

  it("in auto mode never ends in the middle of a word", () => {
    const text = new OutgoingText({ wholeWords: true });
    expect(text.push("Hel")).toBeUndefined();
    expect(text.push("lo wor")).toBe("Hello ");
    expect(text.push("ld")).toBeUndefined();
    expect(text.push(". ")).toBe("world. ");
    expect(text.push("Is it 3.")).toBe("Is it 3.");
    expect(text.push("half")).toBeUndefined();
    expect(text.release()).toBe("half");
    expect(text.release()).toBeUndefined();
  });

  it("otherwise goes out at once", () => {
    const text = new OutgoingText({ wholeWords: false });
    expect(["Hel", "lo", " ", "wor"].map((it) => text.push(it))).toEqual(["Hel", "lo", undefined, " wor"]);
  });

  it("lets a space in only between words, and uses up white space held back", () => {
    const text = new OutgoingText({ wholeWords: false });
    expect(text.takeSpace()).toBe(" ");
    text.push("wo");
    expect(text.betweenWords).toBe(false);
    expect(text.takeSpace()).toBeUndefined();
    text.push("\n");
    expect(text.betweenWords).toBe(true);
    expect(text.takeSpace()).toBe("\n");
    expect(text.push("next")).toBe("next");
  });
});

describe("speakable", () => {
  it.each([
    ["Hi there", 7],
    ["", 0],
    [" \n", 0],
    ["… — !?", 0],
    ["😀", 0],
    ["3.5", 2],
    ["Ünïcödé", 7],
    ["你好", 2],
    ["<break/>", 5],
  ])("%j has %i characters that must be heard", (text, count) => {
    expect(speakableCharacters(text)).toBe(count);
  });
});

describe("what the provider owes", () => {
  const aligned = (text: string, untilMs: number) => ({
    chars: [...text],
    startMs: [...text].map(() => 0),
    durationMs: [...text].map((_, i) => (i === text.length - 1 ? untilMs : 0)),
  });

  it("is nothing before a trigger, however long the client thinks", () => {
    const owed = new OwedSpeech({ autoMode: false });
    owed.sent("Hello", 1);
    expect(owed.waiting).toEqual({ kind: "nothing" });
  });

  it.each([
    ["a flush", (owed: OwedSpeech) => owed.flushed(5), { autoMode: false }],
    ["the end", (owed: OwedSpeech) => owed.ended(5), { autoMode: false }],
    [
      "a threshold of the schedule",
      (owed: OwedSpeech) => owed.sent("x".repeat(45), 5),
      { autoMode: false, schedule: [50] },
    ],
    ["a message in auto mode", (owed: OwedSpeech) => owed.sent("Hi. ", 5), { autoMode: true }],
  ])("is first audio from %s on", (_name, trigger, options) => {
    const owed = new OwedSpeech(options);
    if (!options.autoMode) owed.sent("Hello", 1);
    trigger(owed);
    owed.sent("more", 9);
    expect(owed.waiting).toMatchObject({ kind: "first-audio", sinceMs: 5 });
  });

  it("is 120 characters away by default", () => {
    const owed = new OwedSpeech({ autoMode: false });
    owed.sent("x".repeat(119), 1);
    expect(owed.waiting.kind).toBe("nothing");
    owed.sent("x", 2);
    expect(owed.waiting).toEqual({ kind: "first-audio", sinceMs: 2 });
  });

  it("is more audio until the characters are covered and the audio is as long as their timings", () => {
    const owed = new OwedSpeech({ autoMode: false });
    owed.sent("Hello there", 1);
    owed.flushed(2);
    owed.heard(100, aligned("Hello ", 100), 10);
    expect(owed.waiting).toEqual({ kind: "more-audio", sinceMs: 10 });
    owed.heard(200, aligned("there ", 900), 20);
    expect(owed.waiting).toEqual({ kind: "more-audio", sinceMs: 20 });
    owed.heard(880, undefined, 30);
    expect(owed.waiting).toEqual({ kind: "nothing" });
    owed.ended(40);
    expect(owed.waiting).toEqual({ kind: "final", sinceMs: 40 });
  });

  it("does not count a tail that the provider may keep back after a threshold", () => {
    const owed = new OwedSpeech({ autoMode: false, schedule: [50] });
    owed.sent(`${"word ".repeat(10)}unfinish`, 1);
    owed.heard(500, aligned("word ".repeat(10), 500), 10);
    expect(owed.waiting).toEqual({ kind: "nothing" });
    owed.sent("ed", 11);
    owed.ended(12);
    expect(owed.waiting).toEqual({ kind: "more-audio", sinceMs: 12 });
  });

  it("without alignment is paid by any audio, but after the end only by the final message", () => {
    const owed = new OwedSpeech({ autoMode: false });
    owed.sent("Hello", 1);
    owed.flushed(2);
    owed.heard(100, undefined, 10);
    expect(owed.waiting).toEqual({ kind: "nothing" });
    owed.sent("there", 11);
    owed.ended(12);
    expect(owed.waiting).toEqual({ kind: "more-audio", sinceMs: 12 });
    owed.heard(200, undefined, 20);
    expect(owed.waiting).toEqual({ kind: "more-audio", sinceMs: 20 });
  });

  it("can be flushed even where a threshold was just crossed: a tail may have been kept back", () => {
    const owed = new OwedSpeech({ autoMode: false, schedule: [50] });
    expect(owed.textWaiting).toBe(false);
    owed.sent("x".repeat(60), 1);
    expect(owed.textWaiting).toBe(true);
    owed.flushed(2);
    owed.sent("  ", 3);
    expect(owed.textWaiting).toBe(false);
  });

  it("is counted from the end at the earliest, when the end comes long after the audio", () => {
    const owed = new OwedSpeech({ autoMode: false });
    owed.sent("Hello", 1);
    owed.flushed(2);
    owed.heard(100, undefined, 10);
    owed.ended(60_000);
    expect(owed.waiting).toEqual({ kind: "more-audio", sinceMs: 60_000 });
  });

  it("is only the final message where nothing can be heard", () => {
    const owed = new OwedSpeech({ autoMode: false });
    owed.sent("…", 1);
    owed.flushed(2);
    expect(owed.waiting).toEqual({ kind: "nothing" });
    owed.ended(3);
    expect(owed.waiting).toEqual({ kind: "final", sinceMs: 3 });
  });
});
