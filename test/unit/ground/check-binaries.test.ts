import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { alteredBinaries, RECORDED_BINARIES } from "../../../scripts/check-binaries.ts";

it("native code that is not what was recorded is named; what another platform has is not missed", () => {
  const folder = mkdtempSync(join(tmpdir(), "tts-labs-binaries-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "uws.node"), "as it came");
  const recorded = {
    "uws.node": createHash("sha256").update("as it came").digest("hex"),
    "other.node": "0".repeat(64),
  };
  expect(alteredBinaries(folder, recorded)).toEqual([]);
  writeFileSync(join(folder, "uws.node"), "with something in it");
  expect(alteredBinaries(folder, recorded)).toEqual([
    expect.stringMatching(/^uws\.node has the SHA-256 [0-9a-f]{64}, not the recorded [0-9a-f]{64}$/),
  ]);
});

it("each recorded SHA-256 is one", () => {
  for (const hash of Object.values(RECORDED_BINARIES)) expect(hash).toMatch(/^[0-9a-f]{64}$/);
});
