import { clientMessageSchemas } from "@tts-labs/protocol/client-message";
import { ERROR_CODES } from "@tts-labs/protocol/errors";
import { serverMessageSchemas } from "@tts-labs/protocol/server-message";
import type { z } from "zod";
import { type JsonSchema, toJsonSchema } from "./json-schema.ts";

const COLUMNS = 110;

/**
 * `packages/protocol/src/wire-types.ts`: the messages as plain TypeScript types. The client library is made of these, so
 * that neither its code nor its declarations need zod.
 */
export function wireTypes(): string {
  return [
    "// Written by scripts/generate-docs.ts from the schemas of client-message.ts and server-message.ts.",
    "// The client library is made of these types, so that neither its code nor its declarations need zod.",
    "",
    "/** Stable: clients may switch on it. `docs/errors.md` says what each means. */",
    `export type ErrorCode =${ERROR_CODES.map((code) => `\n  | ${JSON.stringify(code)}`).join("")};`,
    "",
    ...messages("client", "What a client sends", clientMessageSchemas),
    "",
    ...messages("server", "What an edge sends", serverMessageSchemas),
    "",
  ].join("\n");
}

function messages(
  side: "client" | "server",
  what: string,
  schemas: Readonly<Record<string, z.ZodType>>,
): string[] {
  const name = side === "client" ? "ClientMessage" : "ServerMessage";
  const members = Object.entries(schemas).map(([type, schema]) => {
    const json = toJsonSchema(schema, "draft-2020-12");
    return `${comment(json, "  ")}  readonly ${type}: ${typeOf(json, "  ")};`;
  });
  return [
    `/** ${what}, by \`type\`. */`,
    `export interface ${name}s {`,
    ...members,
    "}",
    "",
    `export type ${name}Type = keyof ${name}s;`,
    `export type ${name}Of<T extends ${name}Type> = ${name}s[T];`,
    `export type ${name} = ${name}s[${name}Type];`,
  ];
}

function typeOf(schema: JsonSchema, indent: string): string {
  if ("const" in schema) return JSON.stringify(schema["const"]);
  if (Array.isArray(schema["enum"])) return enumOf(schema["enum"]);
  if (Array.isArray(schema["anyOf"])) return union(schema["anyOf"], indent);
  if (schema["type"] === "integer") return "number";
  if (schema["type"] === "array") return arrayOf(typeOf(schema["items"] as JsonSchema, indent));
  if (schema["type"] !== "object") return [schema["type"]].flat().join(" | ");
  if (schema["properties"] !== undefined) return objectOf(schema, indent);
  return `Record<string, ${typeOf(schema["additionalProperties"] as JsonSchema, indent)}>`;
}

const union = (schemas: readonly JsonSchema[], indent: string) =>
  schemas.map((schema) => typeOf(schema, indent)).join(" | ");

const enumOf = (values: readonly unknown[]) =>
  values.length === ERROR_CODES.length
    ? "ErrorCode"
    : values.map((value) => JSON.stringify(value)).join(" | ");

const arrayOf = (item: string) => (/^\w+$/.test(item) || item.startsWith("{") ? `${item}[]` : `(${item})[]`);

function objectOf(schema: JsonSchema, indent: string): string {
  const required = new Set(schema["required"] as readonly string[] | undefined);
  const inner = `${indent}  `;
  const members = Object.entries(schema["properties"] as Readonly<Record<string, JsonSchema>>).map(
    ([name, property]) => {
      const head = `${comment(property, inner)}${inner}${name}`;
      if (required.has(name)) return `${head}: ${typeOf(property, inner)};`;
      const plain = typeOf(property, inner);
      if (!plain.startsWith("{")) return `${head}?: ${plain} | undefined;`;
      return `${head}?:\n${inner}  | ${typeOf(property, `${inner}    `)}\n${inner}  | undefined;`;
    },
  );
  return `{\n${members.join("\n")}\n${indent}}`;
}

/** On one line where it fits. */
function comment({ description }: JsonSchema, indent: string): string {
  if (typeof description !== "string") return "";
  if (`${indent}/** ${description} */`.length <= COLUMNS) return `${indent}/** ${description} */\n`;
  const lines = [""];
  for (const word of description.split(" ")) {
    const line = `${lines.at(-1)} ${word}`;
    if (`${indent} *${line}`.length <= COLUMNS) lines[lines.length - 1] = line;
    else lines.push(` ${word}`);
  }
  return `${indent}/**\n${lines.map((line) => `${indent} *${line}\n`).join("")}${indent} */\n`;
}
