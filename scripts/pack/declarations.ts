import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, posix, relative } from "node:path";
import { promisify } from "node:util";
import { root } from "../tools.ts";
import { endingIn, specifiersOf, withSpecifiers } from "./specifiers.ts";

const run = promisify(execFile);
const LIMIT_MS = 120_000;

export interface DeclarationsOptions {
  /** Relative to `packages/`, such as `client/src/index.ts`. */
  readonly entries: readonly string[];
  /** Where the declarations of a source go: a path without ending, relative to `into`. */
  readonly place: (source: string) => string;
  readonly into: string;
}

/**
 * Writes the declarations of `entries` and of all that they mention, for ECMAScript modules (`.d.ts`) and for CommonJS
 * (`.d.cts`). Those of other workspaces are brought along, so that the result needs none of them.
 */
export async function writeDeclarations({ entries, place, into }: DeclarationsOptions): Promise<void> {
  await mkdir(join(root, ".run"), { recursive: true });
  const emitted = await mkdtemp(join(root, ".run/declarations-"));
  try {
    await emit(emitted);
    for (const source of await reachable(entries, emitted)) {
      const text = await readFile(join(emitted, `${source}.d.ts`), "utf8");
      const here = place(source);
      const placed = withSpecifiers(text, (specifier) => {
        const target = sourceOf(specifier, source);
        if (target === undefined) return specifier;
        const path = posix.relative(posix.dirname(here), place(target));
        return `${path.startsWith(".") ? path : `./${path}`}.js`;
      });
      const file = join(into, here);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(`${file}.d.ts`, placed);
      await writeFile(`${file}.d.cts`, withSpecifiers(placed, endingIn(".cjs")));
    }
  } finally {
    await rm(emitted, { recursive: true, force: true });
  }
}

/** Of all packages that may be needed: tsc leaves out what it only finds through node_modules. */
async function emit(outDir: string): Promise<void> {
  const config = join(outDir, "tsconfig.json");
  await writeFile(
    config,
    JSON.stringify({
      extends: relative(outDir, join(root, "tsconfig.json")),
      compilerOptions: {
        noEmit: false,
        declaration: true,
        emitDeclarationOnly: true,
        outDir,
        rootDir: join(root, "packages"),
        typeRoots: [join(root, "node_modules/@types")],
      },
      include: ["client", "protocol"].map((name) => join(root, "packages", name, "src")),
    }),
  );
  await run(join(root, "node_modules/.bin/tsc"), ["-p", config], { cwd: root, timeout: LIMIT_MS });
}

/** What the entries' declarations mention, and what that mentions, and so on; without endings. */
async function reachable(entries: readonly string[], emitted: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const left = entries.map(withoutEnding);
  for (let source = left.pop(); source !== undefined; source = left.pop()) {
    if (found.has(source)) continue;
    found.add(source);
    const text = await readFile(join(emitted, `${source}.d.ts`), "utf8");
    for (const specifier of specifiersOf(text)) {
      const target = sourceOf(specifier, source);
      if (target !== undefined) left.push(target);
    }
  }
  return found;
}

/** The source that a specifier in `from` means; undefined where it is a foreign package's. */
function sourceOf(specifier: string, from: string): string | undefined {
  if (specifier.startsWith(".")) {
    return withoutEnding(posix.normalize(posix.join(posix.dirname(from), specifier)));
  }
  const [, workspace, path] = /^@tts-labs\/([a-z]+)\/(.+)$/.exec(specifier) ?? [];
  return workspace === undefined ? undefined : `${workspace}/src/${path}`;
}

const withoutEnding = (path: string): string => path.replace(/\.[jt]s$/, "");
