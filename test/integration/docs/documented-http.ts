import { type Part, partAt, resolveReference } from "../../unit/docs/document.ts";
import { undocumented } from "../../unit/docs/undocumented.ts";

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly bytes: number;
  /** The body, where it is JSON. */
  readonly json: unknown;
  /** What of the answer the document does not tell. */
  readonly undocumented: readonly string[];
}

/** Headers that only some of the answers have: with bare samples, where a substitute spoke. */
const SOMETIMES: ReadonlySet<string> = new Set(["x-sample-rate", "x-substituted"]);

/** Asks a server and holds each answer against the document's responses for that path, method and status. */
export class DocumentedHttp {
  readonly #url: string;
  readonly #document: Part;

  constructor(url: string, document: Part) {
    this.#url = url;
    this.#document = document;
  }

  async ask(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(this.#url + path, init);
    const body = Buffer.from(await response.arrayBuffer());
    const contentType = (response.headers.get("content-type") ?? "").replace(/\s*;.*/, "");
    const json: unknown = contentType === "application/json" ? JSON.parse(body.toString()) : undefined;
    const told = this.#response(path, init.method ?? "GET", response.status);
    const missing = Object.keys(partAt(told, "headers")).filter(
      (name) => !response.headers.has(name) && !SOMETIMES.has(name),
    );
    return {
      status: response.status,
      contentType,
      bytes: body.byteLength,
      json,
      undocumented: [
        ...missing.map((name) => `header ${name} is missing`),
        ...this.#undocumentedBody(told, contentType, json),
      ],
    };
  }

  #undocumentedBody(told: Part, contentType: string, json: unknown): string[] {
    const content = partAt(told, "content");
    if (!(contentType in content)) return [`content type ${contentType}`];
    if (json === undefined) return [];
    const { $ref } = partAt(content, contentType, "schema");
    return undocumented(resolveReference(this.#document, String($ref)), json, "body");
  }

  /** A method that the path does not take is answered in the form of the error that all its methods share. */
  #response(path: string, method: string, status: number): Part {
    const item = partAt(this.#document, "paths", path.replace(/\?.*/, ""));
    const operation = partAt(
      item,
      method.toLowerCase() in item ? method.toLowerCase() : (Object.keys(item)[0] ?? ""),
    );
    const responses = partAt(operation, "responses");
    return partAt(responses, String(status) in responses ? String(status) : "default");
  }
}
