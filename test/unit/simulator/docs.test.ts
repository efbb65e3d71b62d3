import { readFileSync } from "node:fs";
import { FAULTS } from "@tts-labs/simulator/faults/faults";
import { VOICES } from "@tts-labs/simulator/voice/voices";
import { describe, expect, it } from "vitest";

const page = readFileSync(new URL("../../../docs/simulator.md", import.meta.url), "utf8");
const rows = page.split("\n").filter((line) => line.startsWith("| `"));

describe("docs/simulator.md", () => {
  it("has a row for every fault, in its own words", () => {
    for (const [name, sentence] of Object.entries(FAULTS))
      expect(rows).toContain(`| \`${name}\` | ${sentence} |`);
  });

  it("names every voice", () => {
    for (const { voiceId } of VOICES) expect(page).toContain(`| \`${voiceId}\` |`);
  });
});
