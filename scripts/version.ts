import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./tools.ts";

/** The commit that is checked out; undefined without git, or outside a repository. */
export function readCommit(): string | undefined {
  const { status, stdout } = spawnSync("git", ["rev-parse", "HEAD"], { cwd: root, encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/** As the programs print theirs: "tts-labs 0.1.0 (commit)". */
export function versionText(): string {
  const { name, version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly name: string;
    readonly version: string;
  };
  return `${name} ${version} (${readCommit() ?? "unknown"})`;
}
