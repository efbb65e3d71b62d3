import { z } from "zod";

export type JsonSchema = Record<string, unknown>;

/**
 * A zod schema as JSON Schema, for a document that people read: without the `$schema` line, and without
 * what merely says "a safe integer" or "names are strings".
 */
export function toJsonSchema(schema: z.ZodType, target: "draft-7" | "draft-2020-12"): JsonSchema {
  const { $schema: _, ...document } = z.toJSONSchema(schema, {
    target,
    io: "input",
    override: ({ jsonSchema }) => {
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      delete jsonSchema.propertyNames;
    },
  });
  return document;
}

/** `stream_complete` → `StreamComplete`: how a message is named in a document. */
export const titleOf = (type: string): string =>
  type.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Rows of cells as a Markdown table. A `|` inside a cell would end it, so it is escaped. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}
