import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { commentsOf, hasBareSubject, isElliptical } from "../../../scripts/language/comments.ts";

const root = join(import.meta.dirname, "../../..");

/** These files name the words that they count. */
const ABOUT_WORDS = /^scripts\/(?:count-comments|language\/comments)\.ts$/;

const comments = execFileSync(
  "git",
  ["ls-files", "apps", "packages", "scripts", "bench", "test", "testkit"],
  {
    cwd: root,
    encoding: "utf8",
  },
)
  .split("\n")
  .filter((path) => /\.(?:ts|mjs)$/.test(path) && !ABOUT_WORDS.test(path) && existsSync(join(root, path)))
  .flatMap((path) =>
    commentsOf(readFileSync(join(root, path), "utf8")).map(({ line, text }) => ({
      place: `${path}:${line}`,
      text,
    })),
  );

test("fewer than 2 % of the comments open without their subject", () => {
  expect(comments.length).toBeGreaterThan(4_000);
  const elliptical = comments.filter(({ text }) => isElliptical(text));
  expect(elliptical.length / comments.length).toBeLessThan(0.02);
});

test("no comment has who, nobody or somebody as a bare subject", () => {
  expect(comments.filter(({ text }) => hasBareSubject(text)).map(({ place }) => place)).toEqual([]);
});
