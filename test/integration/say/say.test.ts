import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cancelledAfter, HEADER, STARTED } from "../../../testkit/clients/one-utterance.ts";
import { FakeEdge, type FakeEdgeOptions } from "../../../testkit/fleet/fake-edge.ts";
import { humOf, splicedHumOf } from "../../../testkit/speech/hum.ts";

const TEXT = "Guten Tag, wie geht es Ihnen?";
const SCRIPT = join(import.meta.dirname, "../../../scripts/say.ts");

let folder: string;
const open: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tts-say-"));
});

afterEach(async () => {
  for (const it of open.splice(0)) await it.close();
  await rm(folder, { recursive: true, force: true });
});

async function edge(options: FakeEdgeOptions = {}): Promise<FakeEdge> {
  const started = await FakeEdge.start(options);
  open.push(started);
  return started;
}

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(process.execPath, [SCRIPT, ...args], {
    env: { ...process.env, INIT_CWD: folder, ...env },
  });
  open.push({
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  });
  return child;
}

interface Ended {
  readonly code: number | null;
  readonly out: Buffer;
  readonly err: string;
}

async function ended(child: ChildProcess): Promise<Ended> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on("data", (data: Buffer) => out.push(data));
  child.stderr?.on("data", (data: Buffer) => err.push(data));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out: Buffer.concat(out), err: Buffer.concat(err).toString() };
}

const say = (...args: string[]) => ended(start(args));
const pcmOf = (text: string) => Buffer.from(humOf(text).pcm.buffer);

describe("say", () => {
  it("writes no WAV under the name of another format, and says what it can write", async () => {
    const { code, err } = await say(TEXT, "--out", "x.mp3");
    expect(code).toBe(2);
    expect(err).toContain(
      ".mp3 can't be written: speech is written as .wav, or as bare samples to .pcm or .raw.",
    );
  });

  it("says how an address without http:// would be right", async () => {
    const { code, err } = await say(TEXT, "--url", "localhost:8006");
    expect(code).toBe(2);
    expect(err).toContain("as in http://localhost:8006.");
  });

  it("writes bare samples to a name that says so", async () => {
    const { url } = await edge();
    expect((await say(TEXT, "--url", url, "-o", "hello.pcm")).code).toBe(0);
    expect((await readFile(join(folder, "hello.pcm"))).equals(pcmOf(TEXT))).toBe(true);
  });

  it("plays through a program that is found on PATH, and says so where there is none", async () => {
    const { url } = await edge();
    const player = join(folder, "aplay");
    await writeFile(player, `#!/bin/sh\nexec /bin/cat > "${join(folder, "played.raw")}"\n`, { mode: 0o755 });
    const played = await ended(start([TEXT, "--url", url, "--play"], { PATH: folder }));
    expect(played).toMatchObject({ code: 0, err: "" });
    expect(played.out.toString()).toMatch(/^Played 1\.65 s of speech/);
    expect((await readFile(join(folder, "played.raw"))).equals(pcmOf(TEXT))).toBe(true);
    const none = await ended(start([TEXT, "--url", url, "--play"], { PATH: join(folder, "nothing") }));
    expect(none.code).toBe(1);
    expect(none.err).toMatch(/^No player was found on PATH \(pw-play, .*\): install one/);
  });

  it("says in a sentence that a folder does not exist, or that its reader has gone", async () => {
    const { url } = await edge();
    const missing = await say(TEXT, "--url", url, "-o", "nowhere/x.wav");
    expect(missing).toMatchObject({
      code: 1,
      err: `"nowhere/x.wav" can't be written: its folder does not exist.\n`,
    });
    const child = start([TEXT, "--url", url, "--raw", "-o", "-"]);
    child.stdout?.destroy();
    const gone = await ended(child);
    expect(gone).toMatchObject({
      code: 1,
      err: "The speech could not be passed on: what reads standard output has ended.\n",
    });
  });

  it("writes a WAV with right sizes whose samples are those that were sent", async () => {
    const { url } = await edge();
    const { code, out, err } = await say(TEXT, "--url", url, "--out", "hello.wav");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out.toString()).toMatch(
      /^Wrote 1\.65 s of speech to hello\.wav, first audio after \d+ ms \((excellent|fast|slow); the target is 150 ms\)\.\n$/,
    );
    const wav = await readFile(join(folder, "hello.wav"));
    const pcm = pcmOf(TEXT);
    expect(wav.subarray(44).equals(pcm)).toBe(true);
    expect(wav.subarray(0, 4).toString()).toBe("RIFF");
    expect(wav.readUInt32LE(4)).toBe(pcm.length + 36);
    expect(wav.readUInt32LE(24)).toBe(24_000);
    expect(wav.readUInt32LE(40)).toBe(pcm.length);
  });

  it("goes on where a connection was cut, and writes a splice over what it replaces", async () => {
    const splice = { at: 24_000, from: 21_120 };
    const { url } = await edge({ troubles: { cutAt: [9_600, 24_000, 30_720], splice } });
    const { code, out } = await say(TEXT, "--url", url, "--json", "--out", "spliced.wav");
    expect(code).toBe(0);
    const report: unknown = JSON.parse(out.toString().trimEnd().split("\n").at(-1) ?? "");
    expect(report).toMatchObject({ ok: true, reconnects: 3, splices: 1 });
    const wav = await readFile(join(folder, "spliced.wav"));
    const pcm = Buffer.from(splicedHumOf(TEXT, splice.from).buffer);
    expect([wav.length, wav.readUInt32LE(40)]).toEqual([pcm.length + 44, pcm.length]);
    expect(wav.subarray(44).equals(pcm)).toBe(true);
  });

  it("into a pipe writes each moment once, also at a splice", async () => {
    const splice = { at: 24_000, from: 21_120 };
    const { url } = await edge({ troubles: { splice } });
    const { out } = await say(TEXT, "--url", url, "--raw", "--out", "-");
    const pcm = Buffer.concat([
      pcmOf(TEXT).subarray(0, splice.at * 2),
      Buffer.from(splicedHumOf(TEXT, splice.from).buffer).subarray(splice.at * 2),
    ]);
    expect(out.equals(pcm)).toBe(true);
  });

  it("passes voice by name, model, language, seed and speed on, with the text", async () => {
    const server = await edge();
    const options = ["--voice", "anna", "--model", "m1", "--language", "de", "--seed", "7", "--speed", "1.1"];
    await say("Guten", "Tag", "--url", server.url, ...options);
    expect(server.received.find(({ type }) => type === "text")).toEqual({
      type: "text",
      text: "Guten Tag",
      end: true,
      voice: "simGermanAnna000000A",
      model: "m1",
      language: "de",
      seed: 7,
      voice_settings: { speed: 1.1 },
    });
  });

  it("ends with one JSON object on the last line", async () => {
    const { url } = await edge();
    const { out } = await say(TEXT, "--url", url, "--json");
    const report: unknown = JSON.parse(out.toString().trimEnd().split("\n").at(-1) ?? "");
    expect(report).toMatchObject({ ok: true, outcome: "completed", samples: humOf(TEXT).pcm.length });
  });

  it("says who spoke instead, and why, for people and in JSON", async () => {
    const substitute = {
      voice: "simGermanAnna000000A",
      model: "m2",
      provider: "second",
      reason: "provider.voice_not_found",
    } as const;
    const { url } = await edge({ troubles: { substitute } });
    const { out } = await say(TEXT, "--url", url, "--json");
    const lines = out.toString().trimEnd().split("\n");
    expect(lines[0]).toBe(
      "simGermanAnna000000A (m2, second) speaks instead: The provider has no such voice. (provider.voice_not_found)",
    );
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ ok: true, substituted: substitute });
  });

  it("writes bare PCM to standard output, and nothing else", async () => {
    const { url } = await edge();
    const { out, code } = await say(TEXT, "--url", url, "--raw", "--out", "-");
    expect(code).toBe(0);
    expect(out.equals(pcmOf(TEXT))).toBe(true);
  });

  it("says nothing when it is to be quiet", async () => {
    const { url } = await edge();
    expect(await say(TEXT, "--url", url, "--quiet")).toMatchObject({
      code: 0,
      out: Buffer.alloc(0),
      err: "",
    });
  });

  it("passes standard input on as it comes and loses no character", async () => {
    let heard = "";
    let onText = (_text: string) => {};
    const server = await edge({
      onMessage: (message) => {
        if (message.type === "text") {
          heard += message.text;
          onText(heard);
        }
        return false;
      },
    });
    const child = start(["-", "--url", server.url, "--raw", "--out", "-"]);
    const done = ended(child);
    const firstHeard = new Promise<string>((resolve) => {
      onText = resolve;
    });
    const bytes = Buffer.from("Schöne Grüße 🙂 an alle.");
    // In the middle of "ö": the server hears what is whole before the rest has been written.
    child.stdin?.write(bytes.subarray(0, 4));
    expect(await firstHeard).toBe("Sch");
    // After that, one byte at a time.
    for (const byte of bytes.subarray(4)) child.stdin?.write(Buffer.of(byte));
    child.stdin?.end();
    const { code, out } = await done;
    expect(heard).toBe("Schöne Grüße 🙂 an alle.");
    expect({ code, same: out.equals(pcmOf(heard)) }).toEqual({ code: 0, same: true });
  });

  it("tells how to start a server when none answers, and writes no file", async () => {
    const { url } = await FakeEdge.start().then(async (gone) => {
      await gone.close();
      return gone;
    });
    const { code, err } = await say(TEXT, "--url", url);
    expect(code).toBe(1);
    expect(err).toBe(
      `No tts-labs server answers at ${url}.\nStart it with "npm start" in another terminal, or name another one with --url.\n`,
    );
    await expect(access(join(folder, "speech.wav"))).rejects.toThrow("ENOENT");
  });

  it("lists the voices when the one asked for is unknown", async () => {
    const { url } = await edge({
      onMessage: (message, connection) => {
        if (message.type !== "text") return false;
        connection.send(STARTED);
        const error = {
          code: "provider.voice_not_found",
          message: "The provider has no such voice.",
        } as const;
        connection.send({ type: "error", ...error, retryable: false, utterance_id: "u" });
        return true;
      },
    });
    const { code, err, out } = await say(TEXT, "--url", url, "--voice", "nobody", "--json");
    expect(code).toBe(1);
    expect(err).toContain("The provider has no such voice. (provider.voice_not_found)");
    expect(err).toContain("  simGermanAnna000000A  Anna, de");
    expect(JSON.parse(out.toString())).toMatchObject({ ok: false, code: "provider.voice_not_found" });
  });

  it("is told at once what is wrong with a call", async () => {
    expect(await say()).toMatchObject({ code: 2, err: expect.stringContaining("What shall be said?") });
    expect(await say(TEXT, "--speed", "3")).toMatchObject({
      code: 2,
      err: expect.stringContaining("number from 0.7 to 1.2"),
    });
  });

  it("cancels on Ctrl-C, keeps what has come and says so", async () => {
    let cancelled = false;
    let played = 0;
    let onFrame = () => {};
    const framed = new Promise<void>((resolve) => {
      onFrame = resolve;
    });
    const { url } = await edge({
      onMessage: (message, connection) => {
        if (message.type === "text") {
          connection.send(STARTED);
          connection.sendFrame(HEADER, new Uint8Array(48_000));
          connection.send({ type: "pong" });
          onFrame();
        }
        if (message.type === "cancel") {
          cancelled = true;
          connection.send(cancelledAfter(24_000, 24_000));
        }
        if (message.type === "played") played = message.samples;
        return message.type !== "ping";
      },
    });
    const child = start([TEXT, "--url", url]);
    const done = ended(child);
    await framed;
    // Its file exists as soon as it has taken the audio.
    await expect
      .poll(() =>
        access(join(folder, "speech.wav")).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    child.kill("SIGINT");
    const { code, out } = await done;
    // What had come counts as heard.
    expect({ code, cancelled, played }).toEqual({ code: 130, cancelled: true, played: 24_000 });
    expect(out.toString()).toMatch(/^Interrupted after 1\.00 s of speech/);
    const wav = await readFile(join(folder, "speech.wav"));
    expect([wav.length, wav.readUInt32LE(40)]).toEqual([48_044, 48_000]);
  });
});
