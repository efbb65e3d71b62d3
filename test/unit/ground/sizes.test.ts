import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../../..");
/** What fits in one sitting. */
const MAX_LINES = 300;
/** A folder with more files wants rooms. */
const MAX_FILES = 12;

const folders = ["edge", "worker", "simulator"]
  .map((app) => `apps/${app}/src`)
  .flatMap((src) => [
    src,
    ...readdirSync(join(root, src), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ parentPath, name }) => join(parentPath.slice(root.length + 1), name)),
  ]);

const files = folders.flatMap((folder) =>
  readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => join(folder, name)),
);

it(`no file of an app is longer than ${MAX_LINES} lines`, () => {
  expect(files.length).toBeGreaterThan(200);
  const long = files
    .filter((path) => path.endsWith(".ts"))
    .map((path) => ({ path, lines: readFileSync(join(root, path), "utf8").trimEnd().split("\n").length }))
    .filter(({ lines }) => lines > MAX_LINES);
  expect(long).toEqual([]);
});

it(`no folder of an app holds more than ${MAX_FILES} files`, () => {
  const crowded = folders
    .map((folder) => ({ folder, files: files.filter((path) => join(path, "..") === folder).length }))
    .filter((it) => it.files > MAX_FILES);
  expect(crowded).toEqual([]);
});
