import { GatewayError } from "@tts-labs/protocol/errors";
import type { AlignmentRefusal } from "@tts-labs/worker/elevenlabs/intake/provider-alignment";
import { DEFAULT_INTAKE, SpeechIntake } from "@tts-labs/worker/elevenlabs/intake/speech-intake";
import { parseProviderMessage } from "@tts-labs/worker/elevenlabs/messages";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  collect,
  openTestSocket,
  type TestSocketOptions,
} from "../../../../../testkit/provider/provider-socket.ts";
import {
  audioMessage,
  FINAL_MESSAGE,
  type ProviderSession,
  type ScriptedProvider,
  startScriptedProvider,
} from "../../../../../testkit/provider/scripted-provider.ts";

const TEXT = "Hello there, how are you today? Fine, I hope.";
const NO_LIMITS = {
  timedPerCharacter: Number.POSITIVE_INFINITY,
  audioMsPerCharacter: Number.POSITIVE_INFINITY,
  extraTimedCharacters: Number.POSITIVE_INFINITY,
  extraAudioMs: Number.POSITIVE_INFINITY,
};
/** Sound that is not silence, at `rateHz`. */
const pcm = (ms: number, rateHz = 24_000) => Buffer.alloc(2 * Math.round((ms * rateHz) / 1_000), 0x11);
const timings = (chars: readonly string[], startMs: readonly unknown[], durationMs: readonly unknown[]) => ({
  chars,
  charStartTimesMs: startMs,
  charDurationsMs: durationMs,
});
/** `text` at 50 ms a character, from `fromMs` on. */
const timed = (text: string, fromMs = 0) =>
  timings(
    [...text],
    [...text].map((_, i) => fromMs + i * 50),
    [...text].map(() => 50),
  );

let provider: ScriptedProvider;
beforeEach(async () => {
  provider = await startScriptedProvider();
});
afterEach(() => provider.close());

/** What a run of `TEXT` gives, and what was refused of it. */
async function hear(act: (session: ProviderSession) => void, options: TestSocketOptions = {}) {
  provider.onSession = async (session) => {
    await session.ended();
    act(session);
  };
  const refused: AlignmentRefusal[] = [];
  const socket = await openTestSocket(provider.url, {
    ...options,
    observer: { refusedAlignment: (reason) => refused.push(reason) },
  });
  socket.speak(TEXT);
  socket.end();
  const heard = await collect(socket.events);
  await socket.closed;
  const chars = heard.chunks.flatMap(({ alignment }) => alignment?.chars ?? []);
  const startMs = heard.chunks.flatMap(({ alignment }) => alignment?.startMs ?? []);
  return { ...heard, refused, chars, startMs, text: chars.join("") };
}

const say =
  (...messages: unknown[]) =>
  ({ send }: ProviderSession) => {
    for (const message of messages) send(message);
    send(FINAL_MESSAGE);
  };

describe("timings that can't be believed are dropped and counted, and the audio stays", () => {
  const n = 50_000;
  it.each([
    [
      "far more characters than text",
      "too_long",
      timings(Array(n).fill("a"), Array(n).fill(1), Array(n).fill(1)),
    ],
    ["one character of a megabyte", "too_long", timings(["x".repeat(700_000)], [0], [900])],
    ["lists of different length", "malformed", timings(["a", "b"], [0], [1])],
    ["times in words", "malformed", timings(["a"], ["0"], [1])],
    ["lists in lists", "malformed", timings(["a"], [[0]], [1])],
    ["no times", "malformed", { chars: ["a"] }],
    ["a number for all", "malformed", 7],
    ["times that are not numbers", "malformed", timings(["a"], [null], [1])],
    ["negative times", "bad_times", timings(["a"], [-1], [1])],
    ["times that run backwards", "bad_times", timings(["a", "b"], [900, 100], [1, 1])],
    ["times past the longest audio", "beyond_audio", timings(["a", "b"], [1e300, 1e300], [1, 1])],
    ["times past the end of this audio", "beyond_audio", timings(["a", "b"], [5_000, 6_000], [1, 1])],
  ] as const)("%s", async (_name, reason, alignment) => {
    const { error, pcm: heard, refused, chars } = await hear(say({ ...audioMessage(pcm(1_000)), alignment }));
    expect(error).toBeUndefined();
    expect(heard).toHaveLength(48_000);
    expect(refused).toEqual([reason]);
    expect(chars).toEqual([]);
  });

  it("times that add up to more than any number", () => {
    const data =
      '{"audio":"AQE=","alignment":{"chars":["a"],"charStartTimesMs":[1e308],"charDurationsMs":[1e308]}}';
    expect(parseProviderMessage(Buffer.from(data), false)).not.toHaveProperty("alignment");
  });

  it("in sum over all messages, too", async () => {
    const messages = Array.from({ length: 200 }, (_, i) => audioMessage(pcm(20), timed("qqqqq", i)));
    const { error, refused, chars } = await hear(say(...messages));
    expect(error).toBeUndefined();
    const most = DEFAULT_INTAKE.timedPerCharacter * TEXT.length + DEFAULT_INTAKE.extraTimedCharacters;
    expect(chars.length).toBeLessThanOrEqual(most);
    expect(refused.filter((reason) => reason === "too_long").length).toBeGreaterThan(100);
  });

  it("without limits all of them would be passed on: the negative twin", async () => {
    const messages = Array.from({ length: 200 }, (_, i) => audioMessage(pcm(20), timed("qqqqq", i)));
    const { chars } = await hear(say(...messages), { intake: NO_LIMITS });
    expect(chars.length).toBeGreaterThan(900);
  });

  it("lists of a million items cost no more than reading them, and only them", () => {
    const n = 400_000;
    const zeros = new Array<number>(n).fill(1);
    const message = Buffer.from(
      JSON.stringify({
        alignment: timings(new Array(n).fill("a"), zeros, zeros),
        audio: "AQE=",
        isFinal: true,
      }),
    );
    const refused: AlignmentRefusal[] = [];
    const doubt = {
      maxCharacters: 280,
      maxMs: 75_000,
      refused: (reason: AlignmentRefusal) => refused.push(reason),
    };
    const before = process.cpuUsage();
    expect(parseProviderMessage(message, false, doubt)).toMatchObject({ kind: "speech", final: true });
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(500);
    expect(refused).toEqual(["too_long"]);
    const lists = Buffer.from("[".repeat(1_000_000));
    expect(parseProviderMessage(lists, false, doubt)).toEqual({ kind: "ignored", reason: "too_many_values" });
  });

  it("whatever comes, times are finite, rise, and lie within the audio", () => {
    // Too little in all to tell a pace by.
    const number = fc.oneof({ weight: 5, arbitrary: fc.nat(800) }, fc.double(), fc.constant(-1));
    const item = fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom("a", " ", "你", "😀", "Hello ") },
      fc.string(),
    );
    const message = fc.record({
      ms: fc.nat(400),
      items: fc.array(fc.tuple(item, number, number), { maxLength: 8 }),
    });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 12 }), (messages) => {
        const intake = new SpeechIntake({
          sampleRateHz: 24_000,
          sentCharacters: () => 100,
          refused: () => {},
        });
        const chunks = messages.flatMap(({ ms, items }) => {
          const alignment = timings(
            items.map(([char]) => char),
            items.map(([, start]) => start),
            items.map(([, , duration]) => duration),
          );
          const data = Buffer.from(JSON.stringify(audioMessage(pcm(ms), alignment)));
          const parsed = intake.parse(data, false);
          return parsed.kind === "speech" ? (intake.receive(parsed).chunk ?? []) : [];
        });
        chunks.push(...intake.finish());
        let latestMs = 0;
        for (const { alignment } of chunks) {
          for (const [i, startMs] of (alignment?.startMs ?? []).entries()) {
            expect(startMs).toBeGreaterThanOrEqual(latestMs);
            expect([...(alignment?.chars[i] ?? "")]).toHaveLength(1);
            latestMs = startMs;
          }
        }
        expect(latestMs).toBeLessThanOrEqual(intake.elapsedMs + 250);
      }),
      { seed: 20261127, numRuns: 500 },
    );
  });
});

describe("what a provider says of its characters", () => {
  it("with several letters in one item is split, and they share the time", async () => {
    const { chars, startMs } = await hear(
      say(audioMessage(pcm(1_000), timings(["Hello ", "you"], [0, 600], [600, 300]))),
    );
    expect(chars).toEqual([..."Hello you"]);
    expect(startMs).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800]);
  });

  it.each([
    [
      "with the rest of the audio",
      [audioMessage(pcm(300), timed("Hello ")), audioMessage(pcm(550), timed("Hello there, how?"))],
    ],
    [
      "without more audio",
      [audioMessage(pcm(850), timed("Hello ")), audioMessage(pcm(0), timed("Hello there, how?"))],
    ],
    [
      "as an alias, then as written",
      [audioMessage(pcm(300), timed("Hallo ")), audioMessage(pcm(550), timed("Hello there, how?"))],
    ],
  ])("first in part, then whole, is told once: %s", async (_name, messages) => {
    const { text, startMs, refused } = await hear(say(...messages));
    expect(text.slice(6)).toBe("there, how?");
    expect(text).toHaveLength(17);
    expect(startMs).toEqual([...text].map((_, i) => i * 50));
    expect(refused).toEqual(["repeated"]);
  });

  it("of the same words twice is told twice where they are spoken twice", async () => {
    const message = audioMessage(pcm(200), timed("Ha. "));
    const { text, startMs, refused } = await hear(say(message, message, message));
    expect(text).toBe("Ha. Ha. Ha. ");
    expect(startMs).toEqual([...text].map((_, i) => i * 50));
    expect(refused).toEqual([]);
  });

  it("may come ahead of all audio, and goes out with its own", async () => {
    const { chunks, text } = await hear(
      say(audioMessage(pcm(500), timed(TEXT)), audioMessage(pcm(500)), audioMessage(pcm(1_250))),
    );
    expect(chunks.map(({ alignment }) => alignment?.chars.length)).toEqual([10, 10, 25]);
    expect(text).toBe(TEXT);
  });
});

describe("audio is bounded by its text", () => {
  const LIMITS = { ...DEFAULT_INTAKE, audioMsPerCharacter: 20, extraAudioMs: 1_000 };
  const endless = (sound: Buffer) => (session: ProviderSession) => {
    const message = audioMessage(sound);
    const pour = () => {
      for (let i = 0; i < 10 && session.socket.readyState === 1; i++) session.send(message);
      if (session.socket.readyState === 1) setImmediate(pour);
    };
    pour();
  };

  it.each([
    ["sound", pcm(100)],
    ["silence", Buffer.alloc(4_800)],
  ])("endless %s is a fault of the provider's, and the socket is closed", async (_name, sound) => {
    const { error, pcm: heard } = await hear(endless(sound), { intake: LIMITS });
    expect(error).toMatchObject({ code: "provider.too_much_audio", retryable: false });
    expect(heard.length).toBeLessThanOrEqual(48 * (1_000 + 20 * TEXT.length));
  });

  it("a second for each character and half a minute more is allowed by default", async () => {
    const whole = pcm(5_000);
    const { error, pcm: heard } = await hear(say(...Array(15).fill(audioMessage(whole))));
    expect(error).toBeUndefined();
    expect(heard).toHaveLength(15 * whole.length);
    const more = await hear(say(...Array(16).fill(audioMessage(whole))));
    expect(more.error).toMatchObject({ code: "provider.too_much_audio" });
  });

  it("without the bound it would all be taken: the negative twin", async () => {
    const whole = pcm(5_000);
    const { error } = await hear(say(...Array(16).fill(audioMessage(whole))), { intake: NO_LIMITS });
    expect(error).toBeUndefined();
  });
});

describe("audio of another format is told by its first bytes", () => {
  const mp3Frame = (bytes: number) =>
    Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0xc4]), Buffer.alloc(bytes - 4, 7)]);
  it.each([
    ["mp3", Buffer.concat([Buffer.from("ID3\x04\x00\x00\x00\x00\x00\x23", "latin1"), Buffer.alloc(500)])],
    ["mp3", Buffer.concat([mp3Frame(417), mp3Frame(417), mp3Frame(417)])],
    ["ogg", Buffer.concat([Buffer.from("OggS"), Buffer.alloc(500)])],
    ["wav", Buffer.concat([Buffer.from("RIFF\xff\xff\xff\xffWAVEfmt ", "latin1"), Buffer.alloc(500)])],
    ["flac", Buffer.concat([Buffer.from("fLaC"), Buffer.alloc(500)])],
    ["gzip", Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 4])],
    ["text", Buffer.from('{"detail":{"status":"something"}}')],
    ["text", Buffer.from("<!DOCTYPE html><html><body>Busy</body></html>")],
  ])("%s, in one message or byte by byte", async (format, bytes) => {
    const whole = await hear(say(audioMessage(bytes)));
    expect(whole.error).toMatchObject({ code: "provider.wrong_format", retryable: false, facts: { format } });
    expect(whole.chunks).toEqual([]);
    const parts = await hear(say(...[...bytes].map((byte) => audioMessage(Buffer.from([byte])))));
    expect(parts.error).toMatchObject({ code: "provider.wrong_format", facts: { format } });
    expect(parts.chunks).toEqual([]);
  });

  it("PCM passes whatever its samples are: nothing lost, nothing held back at the end", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ minLength: 2, maxLength: 64 }),
          // Beginnings that are nearly those of other formats.
          fc
            .constantFrom("ID3", "RIFF....WAV", "Og", "{\x00\x01", "\xff\xfb\x90\xc4", "<\x00")
            .map((s) => Buffer.concat([Buffer.from(s, "latin1"), Buffer.alloc(3_001 - s.length, 0x81)])),
        ),
        fc.integer({ min: 1, max: 40 }),
        (bytes, pieceBytes) => {
          const intake = new SpeechIntake({
            sampleRateHz: 24_000,
            sentCharacters: () => 9,
            refused: () => {},
          });
          const given: Buffer[] = [];
          for (let at = 0; at < bytes.length; at += pieceBytes) {
            const audio = Buffer.from(bytes.subarray(at, at + pieceBytes));
            given.push(intake.receive({ audio }).chunk?.pcm ?? Buffer.alloc(0));
          }
          given.push(...intake.finish().map((chunk) => chunk.pcm));
          const whole = bytes.length - (bytes.length % 2);
          expect(Buffer.concat(given).equals(Buffer.from(bytes.subarray(0, whole)))).toBe(true);
        },
      ),
      { seed: 20261127, numRuns: 2_000 },
    );
  });
});

describe("audio of another rate is told by its pace", () => {
  /** `text` spoken in sentences of a second each, made at `rateHz` and sent as if it were 24 kHz. */
  const speech = (rateHz: number, offByMs: readonly number[] = [0]) =>
    [0, 1, 2, 3].map((i) =>
      audioMessage(pcm(1_000 + (offByMs[i] ?? 0), rateHz), timed("Hello there, my dear", i * 1_000)),
    );

  it.each([8_000, 16_000, 44_100, 48_000])("%i Hz for 24,000", async (rateHz) => {
    const { error } = await hear(say(...speech(rateHz)));
    expect(error).toMatchObject({ code: "provider.wrong_format", facts: { format: "pace" } });
  });

  it("but not where times and audio differ by what a real provider's do, nor for pauses", async () => {
    expect((await hear(say(...speech(24_000, [-27, 4, -12, 36])))).error).toBeUndefined();
    expect((await hear(say(...speech(24_000, [-120, 120, -60, 60])))).error).toBeUndefined();
    const paused = speech(24_000).map((message) => ({
      ...message,
      audio: Buffer.concat([Buffer.from(message.audio, "base64"), Buffer.alloc(48 * 1_000)]).toString(
        "base64",
      ),
    }));
    expect((await hear(say(...paused))).error).toBeUndefined();
  });

  it("nor for bad times alone, which are dropped", async () => {
    const slow = timings(
      [..."Hello there"],
      [..."Hello there"].map((_, i) => i * 1_000),
      Array(11).fill(1_000),
    );
    const { error, refused } = await hear(say(audioMessage(pcm(1_000), slow)));
    expect(error).toBeUndefined();
    expect(refused).toEqual(["beyond_audio"]);
  });
});

describe("messages that say nothing wrong", () => {
  it.each([
    ["an empty name", ""],
    ["an empty object", {}],
    ["null", null],
    ["false", false],
  ])("an error of %s beside audio is none", async (_name, error) => {
    const heard = await hear(say({ ...audioMessage(pcm(100)), error }));
    expect(heard.error).toBeUndefined();
    expect(heard.pcm).toHaveLength(4_800);
  });

  it("a byte order mark before JSON is skipped", async () => {
    const { error, pcm: heard } = await hear(({ sendRaw, send }) => {
      sendRaw(`\uFEFF${JSON.stringify(audioMessage(pcm(100)))}`);
      send(FINAL_MESSAGE);
    });
    expect(error).toBeUndefined();
    expect(heard).toHaveLength(4_800);
  });

  it("audio in binary messages is passed over, and the silence says so", async () => {
    const { error } = await hear(({ sendRaw, send }) => {
      sendRaw(pcm(100));
      send(FINAL_MESSAGE);
    });
    expect(error).toBeInstanceOf(GatewayError);
    expect(error).toMatchObject({ code: "provider.silent", facts: { ignored: "binary" } });
  });

  it("an error that is an object is read for its name and its words", () => {
    const message = { error: { code: "system_busy", message: "Busy." }, audio: null };
    expect(parseProviderMessage(Buffer.from(JSON.stringify(message)), false)).toEqual({
      kind: "error",
      error: "system_busy",
      text: "Busy.",
    });
  });

  it("words about an error are kept up to 2,000 characters", () => {
    const message = { error: "x".repeat(100_000), message: "y".repeat(100_000) };
    const parsed = parseProviderMessage(Buffer.from(JSON.stringify(message)), false);
    expect(parsed).toMatchObject({ error: "x".repeat(2_000), text: "y".repeat(2_000) });
  });
});
