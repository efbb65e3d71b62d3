/**
 * `node scripts/count-comments.ts [--list]`: counts comments in TypeScript that are hard to read: those whose first
 * sentence opens without a subject or with an inverted order, and those that use "who", "nobody" or "somebody" as a
 * bare subject. `--list` prints each of them with its place.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { commentsOf, hasBareSubject, isElliptical } from "./language/comments.ts";
import { root } from "./tools.ts";

const files = execFileSync("git", ["ls-files", "apps", "packages", "scripts", "bench", "test", "testkit"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((path) => /\.(?:ts|mjs)$/.test(path));

let comments = 0;
const elliptical: string[] = [];
const bare: string[] = [];
for (const path of files) {
  for (const { line, text } of commentsOf(readFileSync(join(root, path), "utf8"))) {
    comments += 1;
    if (isElliptical(text)) elliptical.push(`${path}:${line} ${text}`);
    if (hasBareSubject(text)) bare.push(`${path}:${line} ${text}`);
  }
}

if (process.argv.includes("--list")) {
  for (const it of elliptical) console.log(`elliptical  ${it}`);
  for (const it of bare) console.log(`bare        ${it}`);
}
const share = (count: number) => `${count} (${((100 * count) / comments).toFixed(1)} %)`;
console.log(
  `${files.length} files, ${comments} comments: ${share(elliptical.length)} open elliptically, ${share(bare.length)} have a bare subject.`,
);
