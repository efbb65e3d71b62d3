import { readFile } from "node:fs/promises";
import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { WebSocket } from "ws";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";

const PAGE = "docs/elevenlabs-compatible.md";
const VOICE = "simEnglishGrace0000A";
const KEY = "sk_any";
const TEXT = "Hello World.";

let system: System;
let page: string;
beforeAll(async () => {
  page = await readFile(PAGE, "utf8");
  system = await startSystem({ redisUrl: inject("redisUrl"), simulator: { timeScale: 0 } });
});
afterAll(() => system.close());

const blocks = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(
    ([, code = ""]) => code,
  );

/** A command as the page prints it, asked as curl would. @returns the body */
async function curl(command: string): Promise<Buffer> {
  const filled = command.replaceAll("$EDGE", system.url).replaceAll("$VOICE", VOICE).replaceAll("$KEY", KEY);
  const [, url = ""] = /"(http[^"]+)"/.exec(filled) ?? [];
  const [, body] = /-d '([^']*)'/.exec(filled) ?? [];
  const headers = [...filled.matchAll(/-H "([^:]+): ([^"]*)"/g)].map(
    ([, name = "", value = ""]) => [name, value] as const,
  );
  const isPost = body !== undefined || filled.includes("-X POST");
  const response = await fetch(url, {
    method: isPost ? "POST" : "GET",
    headers: Object.fromEntries(headers),
    ...(body === undefined ? {} : { body }),
  });
  // As `curl -f`.
  expect(response.status, filled).toBe(200);
  return Buffer.from(await response.arrayBuffer());
}

/** Answers by the file that the page puts them into. */
async function answers(): Promise<ReadonlyMap<string, Buffer>> {
  const commands = blocks("sh")
    .join("")
    .replaceAll("\\\n", " ")
    .split("\n")
    .filter((line) => line.startsWith("curl"));
  const found = new Map<string, Buffer>();
  for (const command of commands) {
    const [, file = ""] = /-o (\S+)/.exec(command) ?? [];
    found.set(file, await curl(command));
  }
  return found;
}

describe(PAGE, () => {
  test("does what its commands show", async () => {
    const files = await answers();
    const json = (file: string) => JSON.parse(String(files.get(file))) as Record<string, unknown>;
    const { pcm } = await renderSpeech({ text: TEXT, voice: VOICE });
    expect(files.get("hello.mp3")?.toString("latin1", 0, 3)).toMatch(/^(ID3|\xff[\xe0-\xff])/);
    expect(files.get("hello.wav")?.subarray(44).equals(pcm)).toBe(true);
    expect(Buffer.from(String(json("hello.json")["audio_base64"]), "base64").equals(pcm)).toBe(true);
    const lines = String(files.get("hello.ndjson"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { audio_base64: string });
    expect(Buffer.concat(lines.map((it) => Buffer.from(it.audio_base64, "base64"))).equals(pcm)).toBe(true);
    expect(json("found.json")).toMatchObject({ total_count: 1, voices: [{ voice_id: VOICE }] });
    expect(json("voice.json")).toMatchObject({ voice_id: VOICE });
    expect(json("models.json")).toContainEqual(expect.objectContaining({ model_id: "eleven_flash_v2_5" }));
    expect(json("token.json")).toEqual({ token: expect.any(String) });
    expect(files.size).toBe(13);
  });

  const sockets = () => blocks("js").filter((code) => code.includes("new WebSocket"));

  test("shows both sockets", () => expect(sockets()).toHaveLength(2));

  test.each([0, 1])("does what its socket %i shows", async (i) => {
    const parts: string[] = [];
    await new Promise<void>((done) => {
      const run = new Function("WebSocket", "EDGE", "VOICE", "KEY", "play", "done", sockets()[i] ?? "");
      run(WebSocket, system.url, VOICE, KEY, (audio: string) => parts.push(audio), done);
    });
    const { pcm } = await renderSpeech({ text: TEXT, voice: VOICE });
    expect(Buffer.concat(parts.map((part) => Buffer.from(part, "base64"))).equals(pcm)).toBe(true);
  });

  test("names the faults that the test of LiveKit's plugin holds", async () => {
    const held = await readFile("test/integration/elevenlabs/livekit.test.ts", "utf8");
    const rows =
      page
        .split("LiveKit's plugin in front of a failing provider")[1]
        ?.match(/^\| (?!fault|---).*\| everything \|$/gm) ?? [];
    expect(rows).toHaveLength([...held.matchAll(/\{ fault: \{ name:/g)].length);
  });
});
