import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "../../..");
const page = readFileSync(join(root, "docs/security.md"), "utf8");
const [, table = ""] = page.split("## Threats");
const rows = table.split("\n").filter((line) => /^\| (?!threat|---)/.test(line) && !line.startsWith("|---"));
const named = rows.flatMap((row) => [...row.matchAll(/\]\(\.\.\/([^)]+)\) `([^`]+)`/g)]);

describe("docs/security.md", () => {
  test("has a row for each case of an adversary, each with a test", () => {
    const cases = new Set([...table.matchAll(/\bS\d+\b/g)].map(([id]) => id));
    for (let i = 1; i <= 20; i++) expect(cases, `S${i}`).toContain(`S${i}`);
    for (const row of rows) expect(row, row.slice(0, 80)).toMatch(/\]\(\.\.\/test\//);
    expect(rows.length).toBeGreaterThan(35);
  });

  test.each(named.map(([, path, title]) => [title, path]))(
    "names a test that exists: %s",
    (title = "", path = "") => {
      expect(existsSync(join(root, path)), path).toBe(true);
      expect(readFileSync(join(root, path), "utf8")).toContain(title);
    },
  );
});
