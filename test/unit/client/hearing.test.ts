import { Hearing } from "@tts-labs/client/hearing";
import { describe, expect, it } from "vitest";

const RATE_HZ = 24_000;
const TEXT = "Guten Tag,  wie geht es Ihnen?";
const word = (text: string, startMs: number, endMs: number) => ({ text, startMs, endMs });
const WORDS = [
  ...[word("Guten", 0, 300), word("Tag,", 350, 600), word("wie", 700, 850)],
  ...[word("geht", 850, 1_000), word("es", 1_000, 1_100), word("Ihnen?", 1_150, 1_600)],
];

function heardAt(playedMs: number, hearing = new Hearing(RATE_HZ)) {
  if (hearing.playedSamples === undefined) hearing.addWords(WORDS);
  hearing.played((playedMs * RATE_HZ) / 1000);
  return hearing.of(TEXT, 48_000);
}

describe("what has been heard", () => {
  it("ends with the word whose beginning was played, and both parts are the text", () => {
    for (const [ms, textHeard] of [
      [0, ""],
      [1, "Guten "],
      [350, "Guten "],
      [351, "Guten Tag,  "],
      [720, "Guten Tag,  wie "],
      [1_151, TEXT],
      [9_999, TEXT],
    ] as const) {
      const heard = heardAt(ms);
      expect(heard, `${ms} ms`).toMatchObject({ heardMs: ms, textHeard, estimated: false });
      expect(heard.textHeard + heard.textLeft).toBe(TEXT);
    }
  });

  it("is found by letters, so that other spaces or a divided word move nothing", () => {
    const hearing = new Hearing(RATE_HZ);
    hearing.addWords([word("Gu", 0, 100), word("ten", 100, 300), word("Tag,", 350, 600)]);
    hearing.played(2_400);
    expect(hearing.of(TEXT, 48_000).textHeard).toBe("Guten ");
    hearing.played(8_400 + 24);
    expect(hearing.of(TEXT, 48_000).textHeard).toBe("Guten Tag,  ");
  });

  it("follows a splice: words told anew count once", () => {
    const hearing = new Hearing(RATE_HZ);
    hearing.addWords(WORDS.slice(0, 4));
    hearing.addWords([word("wie", 720, 880), word("geht", 900, 1_050)]);
    expect(heardAt(890, played(hearing)).textHeard).toBe("Guten Tag,  wie ");
    expect(heardAt(901, hearing).textHeard).toBe("Guten Tag,  wie geht ");
  });

  it("is a guess without times, up to the end of a word, and without a report", () => {
    const hearing = new Hearing(RATE_HZ);
    expect(hearing.of(TEXT, 48_000)).toEqual({ heardMs: 0, textHeard: "", textLeft: TEXT, estimated: true });
    hearing.played(24_000);
    const half = hearing.of(TEXT, 48_000);
    expect(half).toMatchObject({ textHeard: "Guten Tag,  wie ", estimated: true });
    hearing.played(48_000);
    expect(hearing.of(TEXT, 48_000)).toMatchObject({ textHeard: TEXT, textLeft: "" });
  });

  it("is what the server says, once it has said so", () => {
    const hearing = new Hearing(RATE_HZ);
    hearing.addWords(WORDS);
    hearing.played(24_000);
    const cancelled = { type: "cancelled", utterance_id: "u", utterance: 1 } as const;
    const samples = { sent_samples: 48_000, played_samples: 24_000 };
    expect(hearing.of(TEXT, 48_000).textHeard).toBe("Guten Tag,  wie geht ");
    const texts = { text_heard: "Guten ", text_left: "Tag,  wie geht es Ihnen?" };
    hearing.told({ ...cancelled, ...samples, heard_ms: 1_000, ...texts, estimated: true });
    expect(hearing.of(TEXT, 48_000)).toMatchObject({ textHeard: "Guten ", estimated: true });
  });
});

function played(hearing: Hearing): Hearing {
  hearing.played(0);
  return hearing;
}
