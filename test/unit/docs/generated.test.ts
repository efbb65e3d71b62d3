import { ERROR_CODES } from "@tts-labs/protocol/errors";
import { describe, expect, test } from "vitest";
import { generateDocuments } from "../../../scripts/generate-docs.ts";
import { readText } from "./document.ts";

describe("a generated document is what the code says (else: node scripts/generate-docs.ts)", async () => {
  const documents = await generateDocuments();

  test("all of them are generated", () => {
    expect(documents.map(({ path }) => path).sort()).toEqual([
      "README.md",
      "docs/asyncapi.yaml",
      "docs/configuration.md",
      "docs/errors.md",
      "docs/metrics.md",
      "docs/openapi.yaml",
      "docs/provider-errors.md",
      "packages/core/src/process/variable-names.ts",
      "packages/protocol/src/wire-types.ts",
    ]);
  });

  for (const { path, content } of documents) {
    test(path, async () => expect(await readText(path)).toBe(content));
  }
});

test("docs/errors.md has one row for each error code", async () => {
  const page = await readText("docs/errors.md");
  const codes = [...page.matchAll(/^\| `([^`]+)` \|/gm)].map(([, code]) => code);
  expect(codes.sort()).toEqual([...ERROR_CODES].sort());
});
