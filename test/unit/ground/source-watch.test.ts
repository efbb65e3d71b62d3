import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { openSourceWatch } from "../../../scripts/dev/source-watch.ts";

const folders: string[] = [];
const ended = new AbortController();

afterEach(() => {
  ended.abort();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function project(): string {
  const folder = mkdtempSync(join(tmpdir(), "tts-labs-watch-"));
  folders.push(folder);
  for (const place of ["apps/edge", "apps/worker", "apps/simulator"])
    mkdirSync(join(folder, place, "src"), { recursive: true });
  for (const place of ["client", "core", "protocol"])
    mkdirSync(join(folder, "packages", place, "src"), { recursive: true });
  return folder;
}

it("a saved file names the parts that read it, in the order of their restart; what editors write beside is no change", async () => {
  const folder = project();
  const changes = openSourceWatch(ended.signal, folder);
  writeFileSync(join(folder, "apps/worker/src/.voices.ts.swp"), "");
  writeFileSync(join(folder, "apps/worker/src/voices.ts"), "");
  await changes.next();
  await expect.poll(() => changes.take().parts).toEqual(["worker"]);
  writeFileSync(join(folder, "packages/core/src/ids.ts"), "");
  const files = new Set<string>();
  await expect
    .poll(() => {
      const change = changes.take();
      for (const file of change.files) files.add(file);
      return change.parts;
    })
    .toEqual(["simulator", "worker", "edge"]);
  expect(files).toContain("packages/core/src/ids.ts");
  expect([...files].some((file) => file.endsWith(".swp"))).toBe(false);
});
