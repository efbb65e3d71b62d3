import { WordTrack } from "@tts-labs/edge/page/words/word-track";
import { describe, expect, it } from "vitest";

const spoken = (...words: [string, number][]) =>
  words.map(([text, startMs]) => ({ text, startMs, endMs: startMs + 100 }));

const shown = ({ words }: WordTrack) => words.map(({ text, space }) => text + space);

describe("the word track", () => {
  it("joins what arrives in pieces into the words as written", () => {
    const track = new WordTrack();
    for (const piece of ["Gu", "ten", " ", "Tag", ",\n", "wie ", "geht's"]) track.write(piece);
    expect(shown(track)).toEqual(["Guten ", "Tag,\n", "wie ", "geht's"]);
  });

  it("lights words in order, when the voice has reached them", () => {
    const track = new WordTrack();
    track.write("Eins zwei drei");
    track.speak(spoken(["Eins", 0], ["zwei", 300]));
    expect(track.light(0)).toEqual([0]);
    expect(track.light(299)).toEqual([]);
    expect(track.light(5_000)).toEqual([1]);
    track.speak(spoken(["drei", 600]));
    expect(track.light(5_000)).toEqual([2]);
    expect(track.words.map(({ litAtMs }) => litAtMs)).toEqual([0, 5_000, 5_000]);
  });

  it("takes times that come before their text", () => {
    const track = new WordTrack();
    track.speak(spoken(["Eins", 0], ["zwei", 300]));
    track.write("Eins zwei");
    expect(track.words.map(({ startMs }) => startMs)).toEqual([0, 300]);
  });

  it("goes on where a word was spoken otherwise than written, or not at all", () => {
    const track = new WordTrack();
    track.write("Um 25 Uhr * ist Schluss");
    track.speak(spoken(["Um", 0], ["fünfundzwanzig", 200], ["Uhr", 900], ["ist", 1_200], ["Schluss", 1_500]));
    expect(track.words.map(({ startMs }) => startMs)).toEqual([0, 200, 900, 1_200, 1_200, 1_500]);
  });

  it("takes each character for a word where a script has no spaces, whatever the pieces", () => {
    const track = new WordTrack();
    for (const piece of ["今日", "は。", "iPho", "ne を"]) track.write(piece);
    expect(shown(track)).toEqual(["今", "日", "は。", "iPhone ", "を"]);
    track.speak(spoken(["今", 0], ["日", 100], ["は。", 200]));
    expect(track.light(150)).toEqual([0, 1]);
  });

  it("takes the times of a splice instead of those that it replaces; what is lit stays lit", () => {
    const track = new WordTrack();
    track.write("Eins zwei drei vier fünf");
    track.speak(spoken(["Eins", 0], ["zwei", 300], ["drei", 600], ["vier", 900]));
    track.light(650);
    // The word being spoken is told anew, a little later, and the rest after it.
    track.speak(spoken(["drei", 640]));
    track.speak(spoken(["vier", 1_000], ["fünf", 1_400]));
    expect(track.words.map(({ startMs }) => startMs)).toEqual([0, 300, 640, 1_000, 1_400]);
    expect(track.light(1_000)).toEqual([2, 3]);
    expect(track.words.map(({ litAtMs }) => litAtMs)).toEqual([650, 650, 650, 1_000, undefined]);
  });
});
