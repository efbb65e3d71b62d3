import { z } from "zod";
import type { Part } from "./document.ts";

/**
 * What of `value` its JSON Schema does not allow, as sentences; also fields that the schema does not name, since
 * a document that leaves some out has drifted, even where readers may ignore them.
 */
export function undocumented(schema: Part, value: unknown, what: string): string[] {
  const result = z.fromJSONSchema(closed(schema) as z.core.JSONSchema.JSONSchema).safeParse(value);
  return result.success
    ? []
    : result.error.issues.map((issue) => `${what}.${issue.path.join(".")}: ${issue.message}`);
}

/** `schema` with every object closed that lists its fields. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const parts = Object.fromEntries(Object.entries(schema).map(([key, part]) => [key, closed(part)]));
  return "properties" in parts && !("additionalProperties" in parts)
    ? { ...parts, additionalProperties: false }
    : parts;
}
