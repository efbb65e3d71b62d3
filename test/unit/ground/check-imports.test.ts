import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { checkImports } from "../../../scripts/check-imports.ts";

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A project with the given files and the workspaces of ours. */
function project(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "tts-labs-imports-"));
  folders.push(root);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const dependencies = { ioredis: "6", bullmq: "6", "prom-client": "15", ws: "8", zod: "4" };
  for (const folder of [
    "apps/edge",
    "apps/worker",
    "packages/core",
    "packages/client",
    "packages/protocol",
  ]) {
    const name = `@tts-labs/${folder.split("/")[1]}`;
    write(`${folder}/package.json`, JSON.stringify({ name, dependencies }));
  }
  for (const [path, text] of Object.entries(files)) write(path, text);
  return root;
}

const core = "packages/core/src";
const worker = "apps/worker/src";
const sound = {
  [`${core}/errors.ts`]: 'import { z } from "zod";\n',
  [`${core}/audio/pcm.ts`]: 'import { GatewayError } from "../errors.ts";\n',
  [`${core}/stream/stream.ts`]: 'import { readFileSync } from "node:fs";\n',
  [`${core}/session/entries.ts`]: 'import type { EntryData } from "../stream/stream.ts";\n',
  [`${core}/session/ids.ts`]: "export {};\n",
  [`${core}/redis/client.ts`]: 'import {\n  Cluster,\n  Redis,\n} from "ioredis";\n',
  "apps/README.ts": "export {};\n",
  [`${worker}/run/attempts.ts`]: "export {};\n",
  [`${worker}/config.ts`]: "export const config = 1;\n",
  [`${worker}/main.ts`]: 'import { config } from "./config.ts";\nconst env = process.env;\n',
};

it("a project that keeps the rules has no violation, and all its imports are counted", () => {
  expect(checkImports(project(sound))).toEqual({ files: 9, imports: 6, violations: [] });
});

const planted: readonly (readonly [rule: string, path: string, text: string, said: string])[] = [
  [
    "upwards in core",
    `${core}/audio/x.ts`,
    'import { a } from "../stream/stream.ts";',
    "audio imports upwards, from stream",
  ],
  [
    "upwards by a type alone",
    `${core}/stream/x.ts`,
    'import type { A } from "../session/ids.ts";',
    "stream imports upwards, from session",
  ],
  [
    "upwards in a type's import()",
    `${core}/audio/x.ts`,
    'type A = import("../redis/client.ts").A;',
    "audio imports upwards, from redis",
  ],
  [
    "upwards by re-export over many lines",
    `${core}/redis/x.ts`,
    'export {\n  a,\n  b,\n} from "../session/entries.ts";',
    "redis imports upwards, from session",
  ],
  [
    "a core folder without a place",
    `${core}/tools/x.ts`,
    'import "../errors.ts";',
    "core folder tools has no place",
  ],
  ["core to an app", `${core}/redis/x.ts`, 'import "@tts-labs/worker/config";', "imports another app"],
  ["app to app", "apps/edge/src/x.ts", 'import "@tts-labs/worker/config";', "imports another app"],
  ["app to app by path", "apps/edge/src/x.ts", 'import "../../worker/src/config.ts";', "by path"],
  [
    "the client to a service",
    "packages/client/src/x.ts",
    'import "@tts-labs/core/redis/client";',
    "packages/client may not import",
  ],
  [
    "the language to what speaks it",
    "packages/protocol/src/x.ts",
    'import "@tts-labs/core/stream/stream";',
    "packages/protocol may not import",
  ],
  [
    "upwards in an app",
    `${worker}/elevenlabs/x.ts`,
    'import "../run/attempts.ts";',
    "elevenlabs imports upwards, from run",
  ],
  [
    "a room without a place",
    `${worker}/tools/x.ts`,
    'import "../run/attempts.ts";',
    "room tools has no place",
  ],
  ["a package away from home", `${worker}/x.ts`, 'import { Redis } from "ioredis";', "outside its home"],
  [
    "a package's type away from home",
    `${worker}/x.ts`,
    'import type WebSocket from "ws";',
    "outside its home",
  ],
  ["an undeclared package", `${worker}/x.ts`, 'import _ from "lodash";', "does not name"],
  ["a missing file", `${worker}/x.ts`, 'import "./gone.ts";', "does not exist"],
  ["out of the sources", `${worker}/x.ts`, 'import "../../../apps/README.ts";', "leaves the sources"],
  ["config beside main.ts", `${worker}/x.ts`, 'import "./config.ts";', "for main.ts alone"],
  ["the environment beside main.ts", `${worker}/x.ts`, 'const a = process.env["A"];', "reads process.env"],
];

it.each(planted)("is found: %s", (_rule, path, text, said) => {
  const { violations } = checkImports(project({ ...sound, [path]: `${text}\n` }));
  expect(violations).toHaveLength(1);
  expect(violations[0]).toContain(path);
  expect(violations[0]).toContain(said);
});

it("a ring of files is found, though each arrow alone is allowed", () => {
  const { violations } = checkImports(
    project({
      ...sound,
      [`${worker}/a.ts`]: 'import "./b.ts";\n',
      [`${worker}/b.ts`]: 'import type { C } from "./c.ts";\n',
      [`${worker}/c.ts`]: 'import "./a.ts";\n',
    }),
  );
  expect(violations).toEqual([
    `import cycle: ${worker}/a.ts → ${worker}/b.ts → ${worker}/c.ts → ${worker}/a.ts`,
  ]);
});

it("a ring of folders is found, though no file is in a ring", () => {
  const { violations } = checkImports(
    project({
      ...sound,
      "apps/edge/src/delivery/a.ts": 'import "../dialects/b.ts";\n',
      "apps/edge/src/dialects/b.ts": "export {};\n",
      "apps/edge/src/dialects/c.ts": 'import "../delivery/d.ts";\n',
      "apps/edge/src/delivery/d.ts": "export {};\n",
    }),
  );
  expect(violations).toEqual([
    "apps/edge/src/delivery/a.ts:1 delivery imports upwards, from dialects",
    "folder cycle: apps/edge/src/delivery → apps/edge/src/dialects → apps/edge/src/delivery",
  ]);
});

it("words in comments and strings are not imports", () => {
  const text =
    '/*\n * import "./gone.ts"\n */\nconst said = `he says from "gone"`;\n// import("./gone.ts")\n';
  const { imports, violations } = checkImports(project({ ...sound, [`${worker}/x.ts`]: text }));
  expect({ imports, violations }).toEqual({ imports: 6, violations: [] });
});

it("a check that reads nothing fails", () => {
  expect(() => checkImports(project({}))).toThrow("read 0 files and 0 imports");
  expect(() => checkImports(project({ [`${worker}/x.ts`]: "export {};\n" }))).toThrow(
    "read 1 files and 0 imports",
  );
});
