import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findInstance, noteInstance, USUAL_URL } from "../../../scripts/say/running-instance.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tts-instances-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("the newest instance that runs is found, and the usual address where none does", () => {
  expect(findInstance(folder)).toBe(USUAL_URL);
  expect(findInstance(join(folder, "never-made"))).toBe(USUAL_URL);
  const forget = noteInstance({ url: "http://localhost:8170" }, folder);
  expect(findInstance(folder)).toBe("http://localhost:8170");
  forget();
  expect(findInstance(folder)).toBe(USUAL_URL);
});

test("notes of the dead, and what is no note, are passed over and swept", () => {
  noteInstance({ url: "http://localhost:8170" }, folder);
  const dead = join(folder, "dead.json");
  writeFileSync(
    dead,
    JSON.stringify({ pid: 2 ** 30, url: "http://localhost:1", startedAtMs: Date.now() + 9 }),
  );
  writeFileSync(join(folder, "half.json"), "{");
  expect(findInstance(folder)).toBe("http://localhost:8170");
  expect(existsSync(dead)).toBe(false);
});
