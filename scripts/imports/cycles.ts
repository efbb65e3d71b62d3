import { posix } from "node:path";
import type { SourceFile } from "./read-sources.ts";

type Graph = ReadonlyMap<string, ReadonlySet<string>>;

/** Files that import each other, directly or around; type imports count. One line per ring. */
export function importCycles(files: readonly SourceFile[]): string[] {
  const graph = new Map(files.map((file) => [file.path, new Set(targetsOf(file))]));
  return rings(graph).map((ring) => `import cycle: ${ring.join(" → ")}`);
}

/**
 * Folders of one workspace that import each other. Files that stand beside the folders don't count: they are
 * the parts that both sides know (`session.ts`), and the places that put the folders together (`main.ts`).
 */
export function folderCycles(files: readonly SourceFile[]): string[] {
  const graph = new Map<string, Set<string>>();
  for (const file of files) {
    const from = folderOf(file.path, file.workspace);
    if (from === undefined) continue;
    const arrows = graph.get(from) ?? new Set();
    graph.set(from, arrows);
    for (const target of targetsOf(file)) {
      const to = folderOf(target, file.workspace);
      if (to !== undefined && to !== from) arrows.add(to);
    }
  }
  return rings(graph).map((ring) => `folder cycle: ${ring.join(" → ")}`);
}

function targetsOf(file: SourceFile): string[] {
  return file.imports.flatMap(({ target }) => (target.kind === "file" && target.exists ? [target.path] : []));
}

/** The folder right under the workspace's `src`, if the file is in one. */
function folderOf(path: string, workspace: string): string | undefined {
  const inside = posix.relative(`${workspace}/src`, path).split("/");
  return inside.length < 2 || inside[0] === ".." ? undefined : `${workspace}/src/${inside[0]}`;
}

/** One ring for each arrow that leads back onto the path being walked (depth first, each node once). */
function rings(graph: Graph): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const walk = (node: string): void => {
    const at = path.indexOf(node);
    if (at >= 0) {
      found.push([...path.slice(at), node]);
      return;
    }
    if (done.has(node)) return;
    path.push(node);
    for (const next of graph.get(node) ?? []) walk(next);
    path.pop();
    done.add(node);
  };
  for (const node of graph.keys()) walk(node);
  return found;
}
