import { posix } from "node:path";
import { folderCycles, importCycles } from "./cycles.ts";
import type { Import, SourceFile, Sources, Workspace } from "./read-sources.ts";

/**
 * Folders of packages/core/src, from top to bottom: a file imports from its own folder and from folders below.
 * "." is ids, limits, errors, logger.
 */
export const CORE_LAYERS: readonly string[] = [
  ...["process", "queue", "cache", "breaker", "governor", "session", "stream", "redis", "http"],
  ...["protocol", "audio", "text", "async", "."],
];

/** What runs in a browser too: all that packages/client may see of core. */
const PURE_LAYERS = new Set(["protocol", "audio", "text", "async", "."]);

/** Each foreign package's home: the paths that may import it. Packages not named here have none. */
const HOMES: Readonly<Record<string, RegExp>> = {
  ioredis: /^packages\/core\/src\/redis\//,
  bullmq: /^packages\/core\/src\/queue\//,
  pino: /^packages\/core\/src\/process\//,
  "prom-client": /\/metrics\.ts$/,
  "uWebSockets.js": /^apps\/edge\/src\//,
  ws: /^apps\/(?:worker\/src\/elevenlabs\/connection\.ts$|simulator\/src\/)/,
  esbuild: /^apps\/edge\/src\//,
  "@echogarden/espeak-ng-emscripten": /^apps\/simulator\/src\//,
  "wasm-media-encoders": /^apps\/simulator\/src\//,
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
  if (other.folder !== file.workspace) return workspaceObjection(file, specifier, target, other);
  if (FOR_MAIN_ONLY.test(target) && !file.path.endsWith("/src/main.ts")) {
    return `imports ${specifier}, which is for main.ts alone`;
  }
  return file.workspace === "packages/core" ? layerObjection(file.path, target) : undefined;
}

function workspaceObjection(
  file: SourceFile,
  specifier: string,
  target: string,
  other: Workspace,
): string | undefined {
  if (specifier.startsWith(".")) return `reaches into ${other.folder} by path; use ${other.name}/…`;
  if (other.folder.startsWith("apps/")) return `imports another app: ${specifier}`;
  if (file.workspace === "packages/core") return `core imports ${specifier}, which stands above it`;
  const own = new Set(["packages/client", "packages/core"]);
  if (!own.has(other.folder)) return `imports ${specifier}`;
  if (file.workspace === "packages/client" && !PURE_LAYERS.has(layerOf(target))) {
    return `the client may see only core's pure layers, not ${specifier}`;
  }
  return undefined;
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

/** Name of the folder under `packages/core/src`; "." for the files beside them. */
function layerOf(path: string): string {
  const inside = posix.relative("packages/core/src", path).split("/");
  return inside.length === 1 ? "." : (inside[0] ?? ".");
}
