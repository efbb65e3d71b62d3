import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const src = join(import.meta.dirname, "../../../apps/edge/src");
const files = readdirSync(src, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .map(({ parentPath, name }) => join(parentPath, name))
  .map((path) => ({ path: path.slice(src.length + 1), text: readFileSync(path, "utf8") }));

const using = (pattern: RegExp) => files.filter(({ text }) => pattern.test(text)).map(({ path }) => path);

test("only the native dialect knows the messages of the native protocol", () => {
  expect(files.length).toBeGreaterThan(100);
  const knowing = using(/protocol\/server-message/);
  expect(knowing).toContain("dialects/native/encode-event.ts");
  expect(knowing.filter((path) => !path.startsWith("dialects/native/") && !path.startsWith("page/"))).toEqual(
    [],
  );
});

test("only the native dialect knows the header of its frames", () => {
  const knowing = using(/protocol\/audio-frame/);
  expect(knowing.filter((path) => !path.startsWith("dialects/native/"))).toEqual([]);
});

test("nothing decodes what another part of the edge has encoded", () => {
  expect(using(/fromErrorMessage|pcmOf\b/)).toEqual([]);
});
