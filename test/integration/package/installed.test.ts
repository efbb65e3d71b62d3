import { mkdir, readdir, readFile, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Installed, installPackages, run } from "../../../testkit/clients/installed-packages.ts";
import { type System, startSystem } from "../../../testkit/fleet/system.ts";

const root = join(import.meta.dirname, "../../..");
const MAX_BROWSER_BYTES = 15 * 1024;
const TEXT = "Good morning, how are you?";

let app: Installed;
let system: System;

beforeAll(async () => {
  [app, system] = await Promise.all([installPackages(), startSystem({ redisUrl: inject("redisUrl") })]);
});
afterAll(async () => {
  await system?.close();
  await app?.close();
});

const node = (file: string, ...args: readonly string[]) =>
  run(process.execPath, [file, ...args], {
    cwd: app.folder,
    env: { PATH: process.env["PATH"], TTS_URL: system.url },
    encoding: "buffer",
    timeout: 30_000,
  });

const SPEAK = `
  const client = await SpeechClient.connect({ url: process.env.TTS_URL });
  const wav = await client.speak(${JSON.stringify(TEXT)}).toWav();
  const refused = await SpeechClient.connect({ url: "localhost:8006" }).catch((error) => error);
  await client.close();
  console.log(wav.length, refused instanceof SpeechError);
`;

describe("the packages, installed in a folder of their own", () => {
  it("bring no package of a server along", async () => {
    const names = await readdir(join(app.folder, "node_modules"));
    expect(names.filter((name) => !name.startsWith(".")).sort()).toEqual(["@tts-labs", "zod"]);
    const client = JSON.parse(
      await readFile(join(app.folder, "node_modules/@tts-labs/client/package.json"), "utf8"),
    );
    expect(client.dependencies).toEqual({});
  });

  it.each([
    [
      "ECMAScript modules",
      "app.mjs",
      `import { SpeechClient, SpeechError } from "@tts-labs/client";${SPEAK}`,
    ],
    [
      "CommonJS",
      "app.cjs",
      `const { SpeechClient, SpeechError } = require("@tts-labs/client"); (async () => {${SPEAK}})();`,
    ],
  ])("speak in Node, as %s", async (_, name, source) => {
    const { stdout } = await node(await app.write(name, source));
    const [bytes, isTyped] = stdout.toString().trim().split(" ");
    expect(Number(bytes)).toBeGreaterThan(24_000);
    expect(isTyped).toBe("true");
  });

  it("give the protocol to programs of both kinds, entry by entry", async () => {
    const esm = `import { parseClientMessage } from "@tts-labs/protocol";
      import { MAX_UTTERANCE_CHARACTERS } from "@tts-labs/protocol/limits";
      console.log(parseClientMessage(new TextEncoder().encode('{"type":"flush"}')).type, MAX_UTTERANCE_CHARACTERS);`;
    const cjs = `const { samplesToMs } = require("@tts-labs/protocol/audio/pcm"); console.log(samplesToMs(24, 24000));`;
    expect((await node(await app.write("protocol.mjs", esm))).stdout.toString()).toBe("flush 40000\n");
    expect((await node(await app.write("protocol.cjs", cjs))).stdout.toString()).toBe("1\n");
  });

  it.each([
    ["packages/client/README.md", "js", "hello.wav"],
    ["docs/client.md", "ts", undefined],
  ])("do what the first example of %s says", async (document, language, file) => {
    const text = await readFile(join(root, document), "utf8");
    const [, source = ""] = new RegExp(`\`\`\`${language}\\n([^\`]*)`).exec(text) ?? [];
    expect(source).toContain("http://localhost:8006");
    const path = await app.write(
      `documented.m${language}`,
      source.replace("http://localhost:8006", system.url),
    );
    const { stdout } = await node(path);
    if (file === undefined) expect(stdout.toString()).toMatch(/^\d+\n(?:.*\n)+[\d.]+ [\d.]+\n$/);
    else expect((await readFile(join(app.folder, file))).length).toBeGreaterThan(24_000);
  });

  it("run the examples", async () => {
    const examples = join(app.folder, "node_modules/@tts-labs/client/examples");
    const file = join(app.folder, "example.wav");
    const { stdout } = await node(join(examples, "to-wav.mjs"), TEXT, file);
    expect(stdout.toString()).toMatch(/example\.wav: \d\.\d\d s, first audio after \d+ ms\n$/);
    const wav = await readFile(file);
    expect(wav.readUInt32LE(40)).toBe(wav.length - 44);
    const tokens = await node(join(examples, "tokens.mjs"));
    expect(tokens.stdout.length).toBeGreaterThan(48_000);
    expect(tokens.stderr.toString()).toMatch(/0\.\d\d s {2}Speech\n(?:.+\n)+.+complete\.\ncompleted\n$/);
  });
});

/** Everything that an application writes down of what it gets. */
const TYPED = `
import { type CancelResult, type ConnectOptions, SpeechClient, SpeechError, type Utterance, type Voice } from "@tts-labs/client";
import { type ClientMessage, GatewayError } from "@tts-labs/protocol";

const options: ConnectOptions = { url: "http://localhost:8006", delivery: "paced" };
async function* tokens(): AsyncGenerator<string> {
  yield "Hello";
}
export async function main(): Promise<CancelResult> {
  await using client = await SpeechClient.connect(options);
  const voices: Voice[] = await client.voices();
  const speech: Utterance = client.speak(tokens(), { voice: voices[0]?.id ?? "" });
  speech.on("words", (words) => words.map(({ startMs }) => startMs satisfies number));
  for await (const { samples } of speech) samples satisfies Int16Array;
  const wav: Uint8Array = await speech.toWav();
  const bytes: ReadableStream<Uint8Array> = speech.stream();
  // @ts-expect-error There is no such option.
  client.speak("Hello", { pitch: 2 });
  if (wav.length === 0 && bytes.locked) throw new SpeechError("client.closed");
  const message: ClientMessage = { type: "flush" };
  if (message.type === "flush") throw new GatewayError("internal");
  return await speech.cancel();
}
`;
const IN_BROWSERS = `
import { type Playback, Player } from "@tts-labs/client/player";
import { SpeechClient } from "@tts-labs/client";
export async function play(): Promise<number> {
  const client = await SpeechClient.connect({ url: location.origin });
  const player: Player = await Player.open({ workletUrl: "/worklet.js" });
  const playback: Playback = player.play(client.speak("Hello"));
  return (await playback.finished).playedSamples;
}
`;

describe("the types", () => {
  const STRICT = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    skipLibCheck: false,
    noEmit: true,
    target: "es2022",
  };

  it.each([
    [
      "Node, ECMAScript modules",
      "mts",
      { module: "nodenext", lib: ["es2023", "esnext.disposable"], types: ["node"] },
    ],
    ["Node, CommonJS", "cts", { module: "nodenext", lib: ["es2023", "esnext.disposable"], types: ["node"] }],
    [
      "a bundler",
      "ts",
      {
        module: "esnext",
        moduleResolution: "bundler",
        lib: ["es2023", "dom", "esnext.disposable"],
        types: [],
      },
    ],
  ])("satisfy a strict project for %s", async (_, ending, options) => {
    await symlink(join(root, "node_modules/@types"), join(app.folder, "node_modules/@types")).catch(() => {});
    const isCommon = ending === "cts";
    const files = [await app.write(`typed.${ending}`, TYPED)];
    if (ending === "ts") files.push(await app.write("player.ts", IN_BROWSERS));
    const compilerOptions = { ...STRICT, ...options, ...(isCommon ? { verbatimModuleSyntax: false } : {}) };
    const config = await app.write(`tsconfig.${ending}.json`, JSON.stringify({ compilerOptions, files }));
    const { stdout } = await run(join(root, "node_modules/.bin/tsc"), ["-p", config]).catch((error) => error);
    expect(stdout).toBe("");
  });

  it("of the client need no other package", async () => {
    const types = join(app.folder, "node_modules/@tts-labs/client/dist/types");
    const files = (await readdir(types, { recursive: true })).filter((name) => /\.d\.c?ts$/.test(name));
    expect(files.length).toBeGreaterThan(30);
    for (const name of files) {
      const text = await readFile(join(types, name), "utf8");
      const foreign = [...text.matchAll(/(?:from |import\()"([^".][^"]*)"/g)].map(
        ([, from]) => `${name}: ${from}`,
      );
      expect(foreign).toEqual([]);
    }
  });

  it("and the manifests are right for every kind of importer", async () => {
    const check = join(root, "scripts/check-tarball.ts");
    const { protocol, client } = app.tarballs;
    expect((await run(process.execPath, [check, protocol, client])).stdout).toBe("");
    const spoilt = join(app.folder, "spoilt.tgz");
    await spoil(client, spoilt);
    const found = await run(process.execPath, [check, spoilt]).catch((error) => error);
    expect(found).toMatchObject({ code: 1 });
    expect(found.stdout).toMatch(/types: /);
    expect(found.stdout).toMatch(/publint: /);
  });
});

/** The same without what CommonJS needs: the twin that shows the checks at work. */
async function spoil(tarball: string, into: string): Promise<void> {
  const folder = join(app.folder, "spoilt");
  await mkdir(folder);
  await run("tar", ["xzf", tarball, "-C", folder]);
  await rm(join(folder, "package/dist/index.cjs"));
  await rm(join(folder, "package/dist/types/index.d.cts"));
  await run("tar", ["czf", into, "-C", folder, "package"]);
}

describe("a build by Vite", () => {
  it("fits in 15 KiB, and has the worklet as a file of its own", async () => {
    await app.write("index.html", `<script type="module" src="./main.js"></script>`);
    const main = `import { SpeechClient, SpeechError } from "@tts-labs/client";
      import { Player } from "@tts-labs/client/player";
      Object.assign(window, { SpeechClient, SpeechError, Player });`;
    await app.write("main.js", main);
    await run(join(root, "node_modules/.bin/vite"), ["build", "--outDir", "site"], { cwd: app.folder });
    const assets = await readdir(join(app.folder, "site/assets"));
    const worklets = assets.filter((name) => name.startsWith("worklet"));
    expect(worklets).toHaveLength(1);
    const read = (name: string) => readFile(join(app.folder, "site/assets", name));
    const scripts = await Promise.all(assets.filter((name) => !worklets.includes(name)).map(read));
    const bytes = scripts.reduce((all, script) => all + gzipSync(script, { level: 9 }).length, 0);
    expect(bytes).toBeGreaterThan(5_000);
    expect(bytes).toBeLessThanOrEqual(MAX_BROWSER_BYTES);
    for (const script of scripts)
      expect(script.toString()).not.toMatch(/ZodError|data:text\/javascript|blob:/);
  });
});
