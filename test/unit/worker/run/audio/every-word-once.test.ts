import { type Word, WordCutter } from "@tts-labs/core/audio/alignment";
import { UtteranceReader } from "@tts-labs/edge/speech/reader/audio-reader";
import { GatewayError } from "@tts-labs/protocol/errors";
import { firstReplaced } from "@tts-labs/protocol/words/replaced-words";
import type { Synthesis, SynthesisAudio } from "@tts-labs/worker/synthesizer";
import { describe, expect, test } from "vitest";
import { ScriptedSynthesizer } from "../../../../../testkit/provider/scripted-synthesizer.ts";
import { RunFixture, say } from "../run-fixture.ts";

const CHAR_MS = 50;
const BYTES_PER_MS = 48;
/** Seconds in which a test goes through all places of a text, on a busy machine. */
const LONG = 60_000;

const timed = (text: string) => {
  const chars = [...text];
  return {
    chars,
    startMs: chars.map((_, i) => i * CHAR_MS),
    durationMs: chars.map(() => CHAR_MS),
  };
};

/**
 * Speaks what it is given when the text is complete, 50 ms a character; its first socket stops after `place`
 * characters.
 */
class StoppingSynthesizer extends ScriptedSynthesizer {
  readonly #place: number;
  readonly #how: "fails" | "hangs";
  onStopped: () => void = () => {};

  constructor(place: number, how: "fails" | "hangs") {
    super({ steps: [] });
    this.#place = place;
    this.#how = how;
  }

  override async open(): Promise<Synthesis> {
    return this.#speak();
  }

  override async openFresh(): Promise<Synthesis> {
    return this.#speak();
  }

  #speak(): Synthesis {
    const isFirst = this.sockets.length === 0;
    this.sockets.push({ fresh: !isFirst, heard: [], pulled: 0, abortedWith: undefined, settled: true });
    let text = "";
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    let abort: (reason: GatewayError) => void = () => {};
    const aborted = new Promise<never>((_resolve, reject) => {
      abort = reject;
    });
    aborted.catch(() => {});
    const [place, how, onStopped] = [this.#place, this.#how, () => this.onStopped()];
    async function* events(): AsyncGenerator<SynthesisAudio> {
      await ended;
      const spoken = isFirst ? [...text].slice(0, place).join("") : text;
      const pcm = Buffer.alloc([...spoken].length * CHAR_MS * BYTES_PER_MS);
      if (pcm.length > 0) yield { pcm, alignment: timed(spoken) };
      if (!isFirst) return;
      if (how === "fails") throw new GatewayError("provider.truncated");
      onStopped();
      await aborted;
    }
    return {
      opening: { warm: false, connectMs: 1 },
      events: events(),
      speak: (piece) => {
        text += piece;
      },
      flush: () => {},
      end,
      abort,
    };
  }
}

/** The words that a client of this utterance ends up with. */
async function wordsOf(fixture: RunFixture): Promise<Word[]> {
  const stream = { tag: fixture.utteranceId, name: "audio" } as const;
  const reader = new UtteranceReader({
    reader: fixture.streams.reader(stream, { readerId: "r", ttlMs: 60_000 }),
    sampleRateHz: 24_000,
    playedSamples: () => 0,
    onEntry: () => {},
  });
  const words: Word[] = [];
  for (;;) {
    const event = await reader.next(AbortSignal.timeout(20_000));
    const [first] = event.words;
    if (first !== undefined) words.length = firstReplaced(words, first, event.replacesFromMs);
    words.push(...event.words);
    if (event.kind === "ended") break;
    reader.advance(event.seq);
  }
  await reader.close();
  return words;
}

const TEXTS = [
  "Well, hello there, this is a test. “Really?” she said; it's 3.5 (or so), all in all.",
  "今日は、良い「天気」です。iPhone を買う。你好，世界！",
  "สวัสดีครับ วันนี้อากาศดีมาก เราจะไปเดินเล่น.",
];

const whole = (text: string) => {
  const cutter = new WordCutter();
  return [...cutter.push(timed(text)), ...cutter.finish()].map((word) => word.text);
};

describe("a provider that stops anywhere: every word becomes a caption once, and no two overlap", () => {
  test.each(TEXTS)("%s", { timeout: LONG }, async (text) => {
    for (let place = 1; place <= [...text].length; place++) {
      const fixture = new RunFixture(new StoppingSynthesizer(place, "fails"));
      await fixture.send(...say(text));
      const [words] = await Promise.all([wordsOf(fixture), fixture.run()]);
      expect(words.map((word) => word.text).join("|"), `stopped after ${place} characters`).toBe(
        whole(text).join("|"),
      );
      for (const [i, word] of words.entries()) {
        if (i > 0) expect(word.startMs).toBeGreaterThanOrEqual((words[i - 1]?.endMs ?? 0) - 1);
      }
    }
  });

  test("also where another worker goes on", { timeout: LONG }, async () => {
    const [text = ""] = TEXTS;
    for (let place = 1; place <= text.length; place++) {
      const synthesizer = new StoppingSynthesizer(place, "hangs");
      const fixture = new RunFixture(synthesizer);
      await fixture.send(...say(text));
      const leaving = new AbortController();
      synthesizer.onStopped = () => leaving.abort(new GatewayError("draining"));
      const reading = wordsOf(fixture);
      await fixture.run(leaving.signal);
      await fixture.run();
      expect((await reading).map((word) => word.text).join("|"), `left after ${place} characters`).toBe(
        whole(text).join("|"),
      );
    }
  });

  test("without what an entry says of its untimed marks a full stop would be lost: the negative twin", () => {
    const cutter = new WordCutter();
    const words = cutter.push(timed("Hello there"));
    cutter.splice(11 * CHAR_MS);
    words.push(
      ...cutter.push({ chars: ["T", "his"], startMs: [550, 600], durationMs: [50, 150] }),
      ...cutter.finish(),
    );
    expect(words.map((word) => word.text)).toEqual(["Hello", "there", "This"]);
  });
});
