import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../../../scripts/tools.ts";
import { partAt, readDocument, readText } from "./document.ts";

const pages = [
  "README.md",
  ...(await readdir(join(root, "docs"), { recursive: true }))
    .filter((path) => path.endsWith(".md"))
    .map((path) => join("docs", path)),
];

describe("every link within the repository leads to a file", () => {
  for (const page of pages) {
    test(page, async () => {
      const text = await readText(page);
      const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
      const local = links.filter((link) => !/^(?:https?:|#)/.test(link));
      const broken = local.filter((link) => !existsSync(join(root, dirname(page), link.replace(/#.*$/, ""))));
      expect(broken).toEqual([]);
    });
  }
});

describe("README.md", async () => {
  const readme = await readText("README.md");
  const commands = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = ""]) =>
    block.replaceAll("\\\n", " ").trim().split("\n"),
  );
  const manifest = await readDocument("package.json");

  test("shows the two commands", () => {
    expect(commands).toEqual(expect.arrayContaining(["npm start", "npm test"]));
  });

  test("names only npm scripts that there are", () => {
    const named = commands.flatMap((command) =>
      [...command.matchAll(/npm (?:run )?([a-z]+)/g)].map(([, it = ""]) => it),
    );
    expect(named.length).toBeGreaterThan(5);
    for (const name of named) {
      expect(partAt(manifest, "scripts"), name).toHaveProperty(name);
      expect(existsSync(join(root, "scripts", `${name}.ts`)), `scripts/${name}.ts`).toBe(true);
    }
  });

  test("calls only routes that docs/openapi.yaml describes, with their methods", async () => {
    const paths = partAt(await readDocument("docs/openapi.yaml"), "paths");
    const called = commands.flatMap((command) =>
      [...command.matchAll(/localhost:8006(\/[^\s'"]*)/g)].map(([, path = ""]) => path),
    );
    expect(called.length).toBeGreaterThan(0);
    for (const path of called) expect(Object.keys(paths)).toContain(path);
  });

  test("names only benches that there are", () => {
    const benches = commands.flatMap((command) =>
      [...command.matchAll(/npm run bench -- ([a-z]+)/g)].map(([, it = ""]) => it),
    );
    expect(benches.length).toBeGreaterThan(0);
    for (const bench of benches) expect(existsSync(join(root, "bench", `${bench}.ts`)), bench).toBe(true);
  });
});
