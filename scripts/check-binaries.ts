import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./tools.ts";

/**
 * SHA-256 of native code that we run, by its path in the project's folder. A new version is recorded with its lock
 * entry.
 */
export const RECORDED_BINARIES: Readonly<Record<string, string>> = {
  // @uwsjs/linux-x64-22 20.51.4
  "node_modules/@uwsjs/linux-x64-22/uws.node":
    "f687e7c3666b5cca9d355184bbf07bb0550f5ba0d3ffd453248ccfec552dde6c",
};

/** Binaries in `folder` that are not what was recorded; those of other platforms are not there, which is no fault. */
export function alteredBinaries(folder: string, recorded = RECORDED_BINARIES): string[] {
  return Object.entries(recorded).flatMap(([path, expected]) => {
    const file = join(folder, path);
    if (!existsSync(file)) return [];
    const found = createHash("sha256").update(readFileSync(file)).digest("hex");
    return found === expected ? [] : [`${path} has the SHA-256 ${found}, not the recorded ${expected}`];
  });
}

/** Prints the outcome. @returns whether all is well */
export function checkBinariesAloud(): boolean {
  const present = Object.keys(RECORDED_BINARIES).filter((path) => existsSync(join(root, path)));
  const altered = alteredBinaries(root);
  for (const line of altered) console.error(line);
  console.log(`Binaries: ${present.length} checked by their SHA-256, ${altered.length} altered.`);
  return altered.length === 0;
}

if (process.argv[1] === import.meta.filename) process.exitCode = checkBinariesAloud() ? 0 : 1;
