import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./tools.ts";

export interface Source {
  readonly path: string;
  readonly text: string;
}

/**
 * Object literals that are spread into object literals: `{ ...{ name, ttlMs } }`. TypeScript does not check them for
 * misspelt properties, so they are written flat.
 * @returns one line per literal, `path:line reason`
 */
export function spreadLiterals(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) =>
    text
      .split("\n")
      .flatMap((line, index) =>
        /\.\.\.\{/.test(line)
          ? [`${path}:${index + 1} spreads a literal; write its properties beside the others`]
          : [],
      ),
  );
}

/** Prints the outcome. @returns whether all is well @throws Error when there was nothing to read */
export function checkLiteralsAloud(): boolean {
  const paths = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.ts"], {
    cwd: root,
    encoding: "utf8",
  })
    .split("\n")
    // This file and its test name what is forbidden.
    .filter((path) => path !== "" && !path.includes("check-literals"));
  if (paths.length === 0) throw new Error("The check of literals found no files.");
  const found = spreadLiterals(
    paths.flatMap((path) => {
      try {
        return [{ path, text: readFileSync(join(root, path), "utf8") }];
      } catch {
        // Deleted and not yet committed.
        return [];
      }
    }),
  );
  for (const line of found) console.error(line);
  console.log(`Literals: ${paths.length} files, ${found.length} spread.`);
  return found.length === 0;
}

if (process.argv[1] === import.meta.filename) process.exitCode = checkLiteralsAloud() ? 0 : 1;
