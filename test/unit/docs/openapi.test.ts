import { SPEECH_FORMS } from "@tts-labs/edge/dialects/elevenlabs/http/speech";
import { LISTENERS_PATH } from "@tts-labs/edge/dialects/listen/mint-token";
import { synthesizeBodySchema } from "@tts-labs/edge/dialects/synthesize/synthesize";
import { clientRoutes, opsRoutes, probeRoutes } from "@tts-labs/edge/http/ops-routes";
import { describe, expect, test } from "vitest";
import { synthesizeExamples } from "../../../scripts/docs/http-examples.ts";
import { partAt, readDocument, referencesOf, resolveReference } from "./document.ts";

const document = await readDocument("docs/openapi.yaml");

describe("docs/openapi.yaml", () => {
  test("every route of the edge is described, and no other", () => {
    expect(Object.keys(partAt(document, "paths")).sort()).toEqual(
      [
        ...new Set([
          "/api/v1/synthesize",
          "/api/v1/tokens",
          ...SPEECH_FORMS.map((form) => `/v1/text-to-speech/{voice_id}${form === "" ? "" : `/${form}`}`),
          ...Object.keys(probeRoutes),
          LISTENERS_PATH.replace(/:(\w+)/, "{$1}"),
          ...Object.keys(clientRoutes),
          ...Object.keys(opsRoutes),
        ]),
      ].sort(),
    );
  });

  test("every reference leads somewhere", () => {
    const references = referencesOf(document);
    expect(references.length).toBeGreaterThan(20);
    for (const reference of references) resolveReference(document, reference);
  });

  test("every operation has an id of its own, and says how it fails", () => {
    const operations = Object.values(partAt(document, "paths")).flatMap((item) =>
      Object.values(item as Record<string, { operationId: string; responses: object }>),
    );
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const { responses } of operations) expect(Object.keys(responses)).toContain("default");
  });

  test("a query parameter is told with its bounds and default", () => {
    const { parameters } = partAt(document, "paths", "/api/v1/live", "get");
    expect(parameters).toContainEqual({
      name: "limit",
      in: "query",
      required: false,
      description: "Records of each kind on a page.",
      schema: { type: "integer", minimum: 1, maximum: 500, default: 100 },
    });
  });

  for (const [name, { value }] of Object.entries(synthesizeExamples)) {
    test(`the example "${name}" is understood by the edge's schema`, () => {
      expect(synthesizeBodySchema.parse(value)).toEqual(value);
    });
  }
});
