import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "../../..");
/** How many cases each series has. */
const SERIES = { S: 20, R: 12, U: 14, N: 17 };

const lines = readFileSync(join(root, "docs/cases.md"), "utf8").split("\n");
const cells = (line: string) => line.split(" | ").map((it) => it.replace(/^\| | \|$/g, "").trim());
const rows = lines.filter((line) => /^\| [SRUN]\d+ \|/.test(line)).map(cells);
const tested = rows.filter(([, , where]) => where !== "*open*");

describe("docs/cases.md", () => {
  test("has a row for each case", () => {
    const expected = Object.entries(SERIES).flatMap(([series, count]) =>
      Array.from({ length: count }, (_, index) => `${series}${index + 1}`),
    );
    expect([...new Set(rows.map(([id]) => id))].sort()).toEqual(expected.sort());
    expect(tested.length).toBeGreaterThan(50);
  });

  test.each(tested)("names a test that exists: %s", (_id, _what, where = "", title = "") => {
    const path = /\]\(\.\.\/([^)]+)\)/.exec(where)?.[1] ?? "";
    expect(existsSync(join(root, path)), path).toBe(true);
    expect(readFileSync(join(root, path), "utf8")).toContain(title.replaceAll("`", ""));
  });
});
