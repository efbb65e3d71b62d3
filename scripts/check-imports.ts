/** Import directions, homes of foreign packages, cycles (docs/ground.md). Counts what it read, and fails on nothing. */
import { violations } from "./imports/house-rules.ts";
import { readSources } from "./imports/read-sources.ts";
import { root } from "./tools.ts";

export interface ImportCheck {
  readonly files: number;
  readonly imports: number;
  readonly violations: readonly string[];
}

/** @throws Error when there are no sources or no imports to read: then the check itself is broken */
export function checkImports(folder: string): ImportCheck {
  const sources = readSources(folder);
  const imports = sources.files.reduce((sum, file) => sum + file.imports.length, 0);
  if (sources.files.length === 0 || imports === 0) {
    throw new Error(
      `the import check read ${sources.files.length} files and ${imports} imports in ${folder}`,
    );
  }
  return { files: sources.files.length, imports, violations: violations(sources) };
}

/** Prints the outcome. @returns whether all is well */
export function checkImportsAloud(): boolean {
  const { files, imports, violations: found } = checkImports(root);
  for (const line of found) console.error(line);
  console.log(`Imports: ${imports} in ${files} files, ${found.length} against the rules.`);
  return found.length === 0;
}

if (process.argv[1] === import.meta.filename) process.exitCode = checkImportsAloud() ? 0 : 1;
