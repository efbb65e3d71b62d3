import { posix } from "node:path";
import { folderCycles, importCycles } from "./cycles.ts";
import type { Import, SourceFile, Sources, Workspace } from "./read-sources.ts";

/**
 * Folders of packages/core/src, from top to bottom: a file imports from its own folder and from folders below.
 * "." is ids and logger.
 */
export const CORE_LAYERS: readonly string[] = [
  ...["process", "queue", "cache", "breaker", "governor", "broadcast", "session", "stream", "access"],
  ...["redis", "http"],
  ...["audio", "async", "."],
];

/**
 * Rooms of an app's `src`, from top to bottom. Files beside the rooms have no line: they put the rooms together
 * (`main.ts`, `server.ts`), or are roles that several rooms know (`services.ts`, `synthesizer.ts`).
 */
const APP_ROOMS: Readonly<Record<string, readonly string[]>> = {
  "apps/edge": [
    ...[
      "dialects",
      "listen",
      "session",
      "utterance",
      "speech",
      "shared-speech",
      "delivery",
      "http",
      "access",
      "budget",
    ],
    "page",
  ],
  "apps/worker": ["run", "protection", "elevenlabs"],
  "apps/simulator": ["sockets", "http", "voice", "wire", "speech", "faults"],
};

/** Packages that each workspace under `packages/` may import; apps may import all of them. */
const PACKAGES_BELOW: Readonly<Record<string, readonly string[]>> = {
  "packages/protocol": [],
  "packages/core": ["packages/protocol"],
  "packages/client": ["packages/protocol"],
};

/** Each foreign package's home: the paths that may import it. Packages not named here have none. */
const HOMES: Readonly<Record<string, RegExp>> = {
  ioredis: /^packages\/core\/src\/redis\//,
  bullmq: /^packages\/core\/src\/queue\//,
  pino: /^packages\/core\/src\/process\//,
  "prom-client": /\/metrics\.ts$/,
  "uWebSockets.js": /^apps\/edge\/src\//,
  ws: /^apps\/(?:worker\/src\/elevenlabs\/connection\.ts$|simulator\/src\/)/,
  esbuild: /^apps\/edge\/src\/http\/page-bundle\.ts$/,
  "@echogarden/espeak-ng-emscripten": /^apps\/simulator\/src\//,
  "wasm-media-encoders": /^apps\/(?:simulator\/src|edge\/src\/delivery\/encoders\/codecs)\//,
  "libopus-wasm": /^apps\/edge\/src\/delivery\/encoders\/codecs\//,
  libflacjs: /^apps\/edge\/src\/delivery\/encoders\/codecs\//,
  "@echogarden/speex-resampler-wasm": /^apps\/edge\/src\/delivery\/encoders\/codecs\//,
};

/** Files that only `main.ts` of the same app imports; everything else is given what it needs. */
const FOR_MAIN_ONLY = /^apps\/[^/]+\/src\/(?:config|main|metrics)\.ts$/;

/** @returns one line per violation, `path:line reason`, in the order of the paths */
export function violations(sources: Sources): string[] {
  const found = sources.files.flatMap((file) => [
    ...(file.readsEnvironment && !mayReadEnvironment(file.path)
      ? [`${file.path} reads process.env; only main.ts does`]
      : []),
    ...file.imports.flatMap((it) => {
      const reason = objection(file, it, sources.workspaces);
      return reason === undefined ? [] : [`${file.path}:${it.line} ${reason}`];
    }),
  ]);
  // Core's folders have an order, which leaves no room for rings.
  const unordered = sources.files.filter((file) => file.workspace !== "packages/core");
  const cycles = [...importCycles(sources.files), ...folderCycles(unordered)];
  return [...found.sort(), ...cycles];
}

/** `head-limit.ts` sets what uWebSockets.js reads when it is loaded, which is before `main.ts` runs. */
const mayReadEnvironment = (path: string) =>
  path.endsWith("/src/main.ts") || path === "apps/edge/src/http/head-limit.ts";

function objection(file: SourceFile, it: Import, workspaces: readonly Workspace[]): string | undefined {
  switch (it.target.kind) {
    case "builtin":
      return undefined;
    case "package":
      return packageObjection(file, it.target.name, workspaces);
    case "file":
      if (!it.target.exists) return `imports ${it.specifier}, which does not exist`;
      return fileObjection(file, it.specifier, it.target.path, workspaces);
  }
}

function packageObjection(
  file: SourceFile,
  name: string,
  workspaces: readonly Workspace[],
): string | undefined {
  if (HOMES[name]?.test(file.path) === false) return `imports ${name} outside its home (docs/ground.md)`;
  const own = workspaces.find((workspace) => workspace.folder === file.workspace);
  return own?.dependencies.has(name)
    ? undefined
    : `imports ${name}, which ${file.workspace}/package.json does not name`;
}

function fileObjection(
  file: SourceFile,
  specifier: string,
  target: string,
  workspaces: readonly Workspace[],
): string | undefined {
  const other = workspaces.find((workspace) => target.startsWith(`${workspace.folder}/`));
  if (other === undefined) return `leaves the sources: ${specifier}`;
  if (other.folder !== file.workspace) return workspaceObjection(file, specifier, other);
  if (FOR_MAIN_ONLY.test(target) && !file.path.endsWith("/src/main.ts")) {
    return `imports ${specifier}, which is for main.ts alone`;
  }
  if (file.workspace === "packages/core") return layerObjection(file.path, target);
  return roomObjection(file, target);
}

function workspaceObjection(file: SourceFile, specifier: string, other: Workspace): string | undefined {
  if (specifier.startsWith(".")) return `reaches into ${other.folder} by path; use ${other.name}/…`;
  if (other.folder.startsWith("apps/")) return `imports another app: ${specifier}`;
  const below = PACKAGES_BELOW[file.workspace];
  return below === undefined || below.includes(other.folder)
    ? undefined
    : `${file.workspace} may not import ${specifier}`;
}

function roomObjection(file: SourceFile, target: string): string | undefined {
  const rooms = APP_ROOMS[file.workspace];
  if (rooms === undefined) return undefined;
  const from = roomOf(file.path, file.workspace);
  const to = roomOf(target, file.workspace);
  if (from === to || from === "." || to === ".") return undefined;
  const fromLine = rooms.indexOf(from);
  if (fromLine < 0) return `room ${from} has no place in the order (scripts/imports/house-rules.ts)`;
  return rooms.indexOf(to) > fromLine ? undefined : `${from} imports upwards, from ${to}`;
}

function layerObjection(path: string, target: string): string | undefined {
  const from = layerOf(path);
  const to = layerOf(target);
  if (from === to) return undefined;
  const fromLine = CORE_LAYERS.indexOf(from);
  const toLine = CORE_LAYERS.indexOf(to);
  if (fromLine < 0) return `core folder ${from} has no place in the order (scripts/imports/house-rules.ts)`;
  return toLine > fromLine ? undefined : `${from} imports upwards, from ${to}`;
}

const layerOf = (path: string) => roomOf(path, "packages/core");

/** Name of the folder right under the workspace's `src`; "." for the files beside the folders. */
function roomOf(path: string, workspace: string): string {
  const inside = posix.relative(`${workspace}/src`, path).split("/");
  return inside.length === 1 ? "." : (inside[0] ?? ".");
}
