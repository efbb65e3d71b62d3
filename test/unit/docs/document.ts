import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { root } from "../../../scripts/tools.ts";

export type Part = Readonly<Record<string, unknown>>;

export const readText = (path: string): Promise<string> => readFile(join(root, path), "utf8");

export const readDocument = async (path: string): Promise<Part> => parse(await readText(path)) as Part;

const isPart = (value: unknown): value is Part => typeof value === "object" && value !== null;

/** The object found by going down `names`. @throws Error naming the step where there is none */
export function partAt(document: Part, ...names: readonly string[]): Part {
  return names.reduce<Part>((part, name) => {
    const next = part[name];
    if (!isPart(next)) throw new Error(`no "${name}" on the way ${names.join(" / ")}`);
    return next;
  }, document);
}

/** What `#/a/b` points at. @throws Error when it points nowhere */
export function resolveReference(document: Part, reference: string): Part {
  const names = reference.replace(/^#\//, "").split("/");
  return partAt(document, ...names.map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~")));
}

/** Every `$ref` in the document. */
export function referencesOf(part: unknown): string[] {
  if (!isPart(part)) return [];
  return Object.entries(part).flatMap(([key, value]) =>
    key === "$ref" && typeof value === "string" ? [value] : referencesOf(value),
  );
}
