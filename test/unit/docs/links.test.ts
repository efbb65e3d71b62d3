import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../../..");
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((path) => existsSync(join(root, path)));
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** As GitHub makes it of a heading. */
const toAnchor = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(" ", "-");

const anchorsOf = (path: string) =>
  new Set([...read(path).matchAll(/^#{1,6} +(.+)$/gm)].map(([, heading = ""]) => toAnchor(heading)));

interface Link {
  readonly from: string;
  readonly target: string;
}

const documentLinks: readonly Link[] = files
  .filter((path) => path.endsWith(".md"))
  .flatMap((from) =>
    [...read(from).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = ""]) => ({ from, target }))
      .filter(({ target }) => !/^[a-z]+:/.test(target)),
  );

test("every link of a document leads to a file, and to a heading where it names one", () => {
  expect(documentLinks.length).toBeGreaterThan(100);
  const broken = documentLinks.filter(({ from, target }) => {
    const [path = "", anchor] = target.split("#");
    const file = path === "" ? from : join(dirname(from), path);
    if (!existsSync(join(root, file))) return true;
    return anchor !== undefined && file.endsWith(".md") && !anchorsOf(file).has(anchor);
  });
  expect(broken).toEqual([]);
});

/** Documents that comments and documents name without a link, such as "docs/streams.md". */
const citations: readonly Link[] = files
  .filter((path) => /\.(?:ts|mjs|lua|md|css|html)$/.test(path))
  .flatMap((from) =>
    [...read(from).matchAll(/\bdocs\/[\w./-]+\.(?:md|yaml)\b/g)].map(([target]) => ({ from, target })),
  );

test("every document that a comment cites stands in the repository", () => {
  expect(citations.length).toBeGreaterThan(20);
  expect(citations.filter(({ target }) => !existsSync(join(root, target)))).toEqual([]);
});

/** Sections that comments cite by number, such as "docs/elevenlabs.md 1.4". */
const sections: readonly Link[] = files
  .filter((path) => /\.(?:ts|mjs|lua)$/.test(path))
  .flatMap((from) =>
    [...read(from).matchAll(/\b(docs\/[\w./-]+\.md) (\d+(?:\.\d+)?)\b/g)].map(([, page, section]) => ({
      from,
      target: `${page} ${section}`,
    })),
  );

test("every section that a comment cites by number stands in its document", () => {
  expect(sections.length).toBeGreaterThan(20);
  const broken = sections.filter(({ target }) => {
    const [page = "", section = ""] = target.split(" ");
    return !new RegExp(`^#+ ${section.replace(".", "\\.")}[. ]`, "m").test(read(page));
  });
  expect(broken).toEqual([]);
});

test("no comment and no document cites what stands outside the repository", () => {
  const outside = files
    .filter((path) => /\.(?:ts|mjs|lua|md)$/.test(path) && !path.endsWith("links.test.ts"))
    .filter((path) => /\breference\/[\w-]+\.(?:md|json)|\bSPEC [A-I]\d|\bDESIGN \d/.test(read(path)));
  expect(outside).toEqual([]);
});
