import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type HttpError, httpErrors } from "./error.ts";

/** Longest request body; beyond it 413. */
const MAX_BODY_BYTES = 1024 * 1024;

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json", ...serviceHeaders() });
  response.end(JSON.stringify(body));
}

export const sendError = (response: ServerResponse, { status, body }: HttpError): void =>
  sendJson(response, status, body);

export const serviceHeaders = (): Record<string, string> => ({
  "x-region": "simulator",
  "x-trace-id": randomBytes(16).toString("hex"),
});

/** The body as JSON, or the error for it. An empty body is an empty object. */
export async function readJson(request: IncomingMessage): Promise<{ readonly json: unknown } | HttpError> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return httpErrors.bodyTooLarge();
    chunks.push(chunk);
  }
  if (bytes === 0) return { json: {} };
  try {
    return { json: JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown };
  } catch {
    return httpErrors.schema([{ loc: ["body"], msg: "JSON decode error", type: "json_invalid" }]);
  }
}

/** Aborted when the client is gone before the answer is complete. */
export function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  return gone.signal;
}
