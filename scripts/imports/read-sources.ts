import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** The file it means, relative to the project, or the foreign package's name. */
  readonly target:
    | { readonly kind: "file"; readonly path: string; readonly exists: boolean }
    | { readonly kind: "package"; readonly name: string }
    | { readonly kind: "builtin" };
}

export interface SourceFile {
  /** Relative to the project, with `/`. */
  readonly path: string;
  /** Folder of the workspace it belongs to, such as `apps/edge`. */
  readonly workspace: string;
  readonly imports: readonly Import[];
  readonly readsEnvironment: boolean;
}

export interface Workspace {
  readonly folder: string;
  readonly name: string;
  readonly dependencies: ReadonlySet<string>;
  readonly exports: Readonly<Record<string, string>>;
}

export interface Sources {
  readonly workspaces: readonly Workspace[];
  readonly files: readonly SourceFile[];
}

/**
 * TypeScript 7 has no compiler API to ask, so imports are found by their shape. Biome has put each at the start
 * of a line and in double quotes; `import()` (a call or a type) may stand anywhere.
 */
const STATEMENT = /^(?:import|export)\s(?:[^"'`;=]*?\sfrom\s*)?"([^"]+)"/gm;
const CALL = /^(?!\s*(?:\/\/|\/?\*)).*?\bimport\(\s*"([^"]+)"/gm;
/** Examples are programs of others, which have the packages installed. */
const SKIPPED = new Set(["node_modules", "dist", "coverage", "examples"]);

/** Reads all sources under `apps/*` and `packages/*`. */
export function readSources(root: string): Sources {
  const workspaces = ["apps", "packages"].flatMap((group) => readWorkspaces(root, group));
  const files = workspaces.flatMap((workspace) =>
    sourcePaths(root, workspace.folder).map((path) => readSource(root, path, workspace, workspaces)),
  );
  return { workspaces, files };
}

function readWorkspaces(root: string, group: string): Workspace[] {
  if (!existsSync(join(root, group))) return [];
  return readdirSync(join(root, group))
    .filter((name) => existsSync(join(root, group, name, "package.json")))
    .map((name) => {
      const manifest = JSON.parse(readFileSync(join(root, group, name, "package.json"), "utf8")) as {
        readonly name: string;
        readonly dependencies?: Readonly<Record<string, string>>;
        readonly devDependencies?: Readonly<Record<string, string>>;
        readonly exports?: Readonly<Record<string, string>>;
      };
      // What an image's build alone needs, such as esbuild, is a devDependency of its program.
      const named = [manifest.dependencies, manifest.devDependencies].flatMap((it) => Object.keys(it ?? {}));
      const dependencies = new Set(named);
      const { exports = {} } = manifest;
      return { folder: `${group}/${name}`, name: manifest.name, dependencies, exports };
    });
}

function sourcePaths(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : sourcePaths(root, path);
    return /\.(?:ts|tsx|mts|js|mjs)$/.test(entry.name) ? [path] : [];
  });
}

function readSource(
  root: string,
  path: string,
  workspace: Workspace,
  workspaces: readonly Workspace[],
): SourceFile {
  const text = readFileSync(join(root, path), "utf8");
  const imports = [...text.matchAll(STATEMENT), ...text.matchAll(CALL)].map((match) => {
    const specifier = match[1] ?? "";
    const line = text.slice(0, match.index).split("\n").length;
    return { specifier, line, target: resolveTarget(root, path, specifier, workspaces) };
  });
  return { path, workspace: workspace.folder, imports, readsEnvironment: /\bprocess\.env\b/.test(text) };
}

function resolveTarget(
  root: string,
  from: string,
  specifier: string,
  workspaces: readonly Workspace[],
): Import["target"] {
  if (specifier.startsWith("node:")) return { kind: "builtin" };
  if (specifier.startsWith(".")) {
    return toFile(root, posix.normalize(posix.join(posix.dirname(from), specifier)));
  }
  const [first = "", second = ""] = specifier.split("/");
  const name = first.startsWith("@") ? `${first}/${second}` : first;
  const workspace = workspaces.find((it) => it.name === name);
  if (workspace === undefined) return { kind: "package", name };
  // Each workspace exports "./*" as "./src/*.ts"; those that are published name their entries before it.
  const entry = workspace.exports[`.${specifier.slice(name.length)}`];
  return toFile(root, posix.join(workspace.folder, entry ?? `src/${specifier.slice(name.length + 1)}.ts`));
}

const toFile = (root: string, path: string): Import["target"] => ({
  kind: "file",
  path,
  exists: existsSync(join(root, path)),
});
