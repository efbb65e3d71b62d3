import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { cleanLock } from "../../../scripts/lock-clean.mjs";

const read = (path: string) => JSON.parse(readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8"));

it.each(["package-lock.json", "scripts/toolchain/package-lock.json"])(
  "%s has no optional package without an entry and no registry address",
  (path) => {
    const lock = read(path);
    expect(Object.keys(lock.packages).length).toBeGreaterThan(3);
    expect(cleanLock(lock)).toEqual([]);
  },
);

it("an optional package counts as locked wherever Node would find it, and is cut elsewhere", () => {
  const lock = {
    packages: {
      "": { optionalDependencies: { here: "1", gone: "1" } },
      "node_modules/here": { resolved: "https://registry.example/here.tgz" },
      "node_modules/a": { optionalDependencies: { here: "1", nested: "1", deep: "1" } },
      "node_modules/a/node_modules/nested": {},
      "node_modules/b/node_modules/deep": {},
      "node_modules/c": { optionalDependencies: { gone: "1" } },
      "node_modules/@tts-labs/core": { resolved: "packages/core", link: true },
    },
  };
  expect(cleanLock(lock)).toEqual([
    ".: optional gone",
    "node_modules/here: resolved",
    "node_modules/a: optional deep",
    "node_modules/c: optional gone",
  ]);
  expect(lock.packages["node_modules/a"].optionalDependencies).toEqual({ here: "1", nested: "1" });
  expect(lock.packages["node_modules/c"]).toEqual({});
  expect(lock.packages["node_modules/@tts-labs/core"].resolved).toBe("packages/core");
  expect(cleanLock(lock)).toEqual([]);
});
