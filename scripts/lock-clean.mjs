/**
 * Run after every change of dependencies: `node scripts/lock-clean.mjs`. Cuts from package-lock.json the
 * optional packages it has no entry for (packages for other platforms that could not be resolved when the lock
 * was made); npm 11 and later refuse `npm ci` with them. Also cuts `resolved` addresses.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Mends `lock` in place. @returns one line for each thing that was cut */
export function cleanLock(lock) {
  const cut = [];
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (isLocked(lock.packages, path, name)) continue;
      delete entry.optionalDependencies[name];
      cut.push(`${path || "."}: optional ${name}`);
    }
    if (entry.optionalDependencies && Object.keys(entry.optionalDependencies).length === 0) {
      delete entry.optionalDependencies;
    }
    // A link's `resolved` is the folder of one of our workspaces.
    if (entry.resolved !== undefined && !entry.link) {
      delete entry.resolved;
      cut.push(`${path}: resolved`);
    }
  }
  return cut;
}

/** Node's look-up: the package's own node_modules, then those of the folders above. */
function isLocked(packages, path, name) {
  for (let folder = path; ; folder = above(folder)) {
    if (packages[`${folder === "" ? "" : `${folder}/`}node_modules/${name}`] !== undefined) return true;
    if (folder === "") return false;
  }
}

const above = (path) => path.slice(0, Math.max(0, path.lastIndexOf("/")));

if (process.argv[1] === import.meta.filename) {
  const file = join(import.meta.dirname, "..", "package-lock.json");
  const lock = JSON.parse(readFileSync(file, "utf8"));
  const cut = cleanLock(lock);
  if (cut.length > 0) writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(cut.length === 0 ? "package-lock.json is clean." : `${cut.join("\n")}\n${cut.length} cut.`);
}
