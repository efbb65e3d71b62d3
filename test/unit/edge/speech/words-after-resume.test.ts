import type { Alignment } from "@tts-labs/core/audio/alignment";
import { type AudioEntry, encodeAudioEntry } from "@tts-labs/core/session/entries";
import { encodeUtteranceResult } from "@tts-labs/core/session/utterance-result";
import { type ClientPosition, UtteranceReader } from "@tts-labs/edge/speech/reader/audio-reader";
import { firstReplaced } from "@tts-labs/protocol/words/replaced-words";
import { describe, expect, test } from "vitest";

const timed = (text: string, fromMs: number): Alignment => ({
  chars: [...text],
  startMs: [...text].map((_, i) => fromMs + i * 10),
  durationMs: [...text].map(() => 10),
});
/** 1 kHz: a sample each millisecond. */
const entry = (firstSample: number, samples: number, text?: string, splice?: true): AudioEntry => ({
  firstSample,
  pcm: new Uint8Array(samples * 2),
  ...(text === undefined ? {} : { alignment: timed(text, firstSample) }),
  ...(splice === undefined ? {} : { splice }),
});

/** A client that tells words as it goes, over several connections; what it has confirmed is gone. */
class Listener {
  readonly #entries: readonly AudioEntry[];
  readonly words: { text: string; startMs: number; endMs: number }[] = [];
  /** Last entry that is no longer held. */
  forgotten = 0;

  constructor(entries: readonly AudioEntry[]) {
    this.#entries = entries;
  }

  /** Hears the entries up to `until`, all of which arrive and are confirmed one by one. */
  async hear(until: number, from?: ClientPosition): Promise<void> {
    const held = this.#entries
      .map((it, i) => ({ seq: i + 1, ...encodeAudioEntry(it) }))
      .slice(this.forgotten);
    const result = encodeUtteranceResult({
      outcome: { kind: "completed" },
      samples: this.#end,
      characters: 1,
    });
    const queue = held.map((it) => ({ kind: "entries" as const, entries: [it] }));
    const reader = new UtteranceReader({
      reader: {
        read: async () => queue.shift() ?? { kind: "ended", end: { seq: this.#entries.length, result } },
        advance: () => {},
        forget: (seq: number) => {
          this.forgotten = Math.max(this.forgotten, seq);
        },
        close: async () => {},
      } as unknown as ConstructorParameters<typeof UtteranceReader>[0]["reader"],
      sampleRateHz: 1_000,
      playedSamples: () => 0,
      onEntry: () => {},
      ...(from === undefined ? {} : { from }),
    });
    for (;;) {
      const event = await reader.next(AbortSignal.timeout(5_000));
      const [first] = event.words;
      if (first !== undefined) {
        this.words.length = firstReplaced(this.words, first, event.replacesFromMs);
        this.words.push(...event.words);
      }
      if (event.kind === "ended") return;
      reader.confirmed(event.seq);
      if (event.seq === until) return;
    }
  }

  get #end(): number {
    const last = this.#entries.at(-1);
    return last === undefined ? 0 : last.firstSample + last.pcm.byteLength / 2;
  }
}

const textOf = (listener: Listener) => listener.words.map(({ text }) => text).join(" ");

describe("words over a resume", () => {
  const PLAIN = [
    entry(0, 80, "one two "),
    entry(80, 60, "Verspä"),
    entry(140, 60, "tung um"),
    entry(200, 30, " ab"),
  ];

  test("one that was cut in two is told whole, though its first half was confirmed", async () => {
    const listener = new Listener(PLAIN);
    await listener.hear(2);
    expect(listener.forgotten).toBe(1);
    await listener.hear(4, { sample: 140, seq: 2 });
    expect(textOf(listener)).toBe("one two Verspätung um");
  });

  test("an entry that holds no beginning of a word is not needed once it is confirmed", async () => {
    const listener = new Listener(PLAIN);
    await listener.hear(1);
    expect(listener.forgotten).toBe(1);
    await listener.hear(3, { sample: 80, seq: 1 });
    // The word "um" begins in the third.
    expect(listener.forgotten).toBe(2);
  });

  const SPLICED = [
    entry(0, 100, "one two three fo"),
    entry(80, 50, "thr", true),
    entry(130, 40, "ee "),
    entry(170, 60, "four "),
    entry(230, 40, "five"),
  ];

  test("a splice whose words were not told yet replaces the older ones on the next connection", async () => {
    const listener = new Listener(SPLICED);
    await listener.hear(2);
    expect(textOf(listener)).toBe("one two three");
    await listener.hear(5, { sample: 130, seq: 2 });
    expect(textOf(listener)).toBe("one two three four");
    expect(listener.words[2]).toMatchObject({ startMs: 80 });
  });

  test("a splice whose words were told replaces nothing on the next connection", async () => {
    const listener = new Listener(SPLICED);
    await listener.hear(4);
    expect(textOf(listener)).toBe("one two three four");
    listener.forgotten = 0;
    await listener.hear(6, { sample: 230, seq: 4 });
    expect(textOf(listener)).toBe("one two three four five");
  });
});
