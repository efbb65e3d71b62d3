import { newUtteranceId } from "@tts-labs/core/ids";
import { encodeTextEntry, type TextEntry } from "@tts-labs/core/session/entries";
import { openMemoryStreams } from "@tts-labs/core/stream/memory-stream";
import type { StreamReader } from "@tts-labs/core/stream/stream";
import { TextFeed } from "@tts-labs/worker/run/text/text-feed";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

const LIMITS = { autoMode: false, textTimeoutMs: 60_000, maxCharacters: 40_000 };
const FIRST = "Of course I can help you with that, ";

/** A feed whose text is written by hand, and what its sink is told. Only its timers are not real. */
class FeedFixture {
  readonly heard: string[] = [];
  readonly feed: TextFeed;
  readonly #abort = new AbortController();
  readonly #reader: StreamReader;
  readonly #append: (entries: readonly TextEntry[]) => Promise<void>;
  readonly #running: Promise<unknown>;

  static async open(natural = false): Promise<FeedFixture> {
    const streams = openMemoryStreams();
    const stream = { tag: newUtteranceId(), name: "text" } as const;
    const writer = await streams.claim(stream, { owner: "edge", maxBytes: 1_000_000, ttlMs: 60_000 });
    const reader = streams.reader(stream, { readerId: "worker", ttlMs: 60_000 });
    const append = async (entries: readonly TextEntry[]) => {
      await writer.append(entries.map(encodeTextEntry));
    };
    return new FeedFixture(reader, append, natural);
  }

  private constructor(
    reader: StreamReader,
    append: (entries: readonly TextEntry[]) => Promise<void>,
    natural: boolean,
  ) {
    this.#reader = reader;
    this.#append = append;
    this.feed = new TextFeed({ ...LIMITS, reader, natural, onComplete: () => {} });
    this.#running = this.feed.run(this.#abort.signal).catch(() => undefined);
  }

  async type(...texts: string[]): Promise<void> {
    const before = this.feed.text.length;
    await this.#append(texts.map((text) => ({ kind: "text", text })));
    const length = texts.join("").length;
    while (this.feed.text.length < before + length) await turn();
    await turn();
  }

  attach(char = 0): void {
    const sink = {
      speak: (text: string) => this.heard.push(text),
      flush: () => this.heard.push("<flush>"),
      end: () => this.heard.push("<end>"),
    };
    this.feed.attach(sink, char);
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    await this.#reader.close();
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("text on its way to the provider", () => {
  let fixture: FeedFixture;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  });
  afterEach(async () => {
    await fixture.close();
    vi.useRealTimers();
  });

  test("that waits behind a possible end is spoken after 350 ms, and not before", async () => {
    fixture = await FeedFixture.open();
    fixture.attach();
    await fixture.type("Hello. ", "Let me check that for you.");
    vi.advanceTimersByTime(349);
    expect(fixture.heard).toEqual(["Hello. ", "<flush>", "Let me check that for "]);
    vi.advanceTimersByTime(1);
    expect(fixture.heard.slice(3)).toEqual(["you.", "<flush>"]);
    vi.advanceTimersByTime(60_000);
    expect(fixture.heard).toHaveLength(5);
  });

  test("is not spoken early where more of it comes", async () => {
    fixture = await FeedFixture.open();
    fixture.attach();
    await fixture.type("Hello. ", "It is 3.");
    vi.advanceTimersByTime(300);
    await fixture.type("5");
    vi.advanceTimersByTime(10_000);
    expect(fixture.heard.join("")).toBe("Hello. <flush>It is ");
  });

  test("goes with its first clause, the rest of the sentence as it comes", async () => {
    fixture = await FeedFixture.open();
    fixture.attach();
    await fixture.type("Of course I can ", "help you with that, ");
    expect(fixture.heard).toEqual([]);
    vi.advanceTimersByTime(25);
    expect(fixture.heard).toEqual([FIRST, "<flush>"]);
    await fixture.type("but not ", "today. Bye");
    expect(fixture.heard.slice(2).join("")).toBe("but not today. <flush>");
  });

  test("waits for its sentence where that is to sound natural", async () => {
    fixture = await FeedFixture.open(true);
    fixture.attach();
    await fixture.type(FIRST);
    vi.advanceTimersByTime(10_000);
    expect(fixture.heard.filter((it) => it === "<flush>")).toHaveLength(1);
    // The pause behind the comma alone made it one.
    expect(fixture.heard).toEqual([FIRST, "<flush>"]);
  });

  test("that came while a socket was awaited is late already: its first words go at once", async () => {
    fixture = await FeedFixture.open();
    await fixture.type("I have been thinking about all of these ", "things");
    vi.advanceTimersByTime(1_000);
    fixture.attach();
    vi.advanceTimersByTime(1);
    expect(fixture.heard).toEqual(["I have been thinking about all of these ", "<flush>"]);
  });

  test("that goes on after something was heard is spoken in whole sentences", async () => {
    fixture = await FeedFixture.open();
    await fixture.type("Hello there. ", "Of course I can help you with that, but ");
    vi.advanceTimersByTime(1_000);
    fixture.attach(13);
    vi.advanceTimersByTime(1);
    expect(fixture.heard).toEqual(["Of course I can help you with that, but "]);
  });

  test("nothing is done for a sink that is gone", async () => {
    fixture = await FeedFixture.open();
    fixture.attach();
    await fixture.type("Let me check.");
    fixture.feed.detach();
    vi.advanceTimersByTime(10_000);
    expect(fixture.heard).toEqual([]);
  });

  test("has its white space shortened, and every character of it counted", async () => {
    fixture = await FeedFixture.open();
    fixture.attach();
    const text = `Hello   there.${"\n".repeat(500)}${" ".repeat(500)}Bye  now. `;
    await fixture.type(text.slice(0, 7), text.slice(7, 300), text.slice(300));
    expect(fixture.heard.join("").replaceAll("<flush>", "")).toBe("Hello there.\n\nBye now. ");
    expect(fixture.feed.givenCharacters).toBe(text.length);
  });

  test("opens for what is heard only: white space and marks alone are nothing to say", async () => {
    fixture = await FeedFixture.open();
    let opened: string | undefined;
    void fixture.feed.opening(0).then((it) => {
      opened = it;
    });
    await fixture.type(" \n", "... ", "!");
    expect(opened).toBeUndefined();
    await fixture.type("A");
    await turn();
    expect(opened).toBe("words");
  });
});
