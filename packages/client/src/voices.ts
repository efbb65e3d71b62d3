import { parseServerAddress } from "./server-address.ts";
import { SpeechError, type SpeechErrorCode } from "./speech-error.ts";

/** A voice as `GET /api/v1/voices` lists it. */
export interface Voice {
  readonly id: string;
  readonly name: string;
  /** ISO 639-1; empty where unknown. */
  readonly language: string;
}

/** What the server at `url` lists, or nothing when it can't: its own default voice always works. */
export async function listVoices(url: string | URL, limitMs?: number): Promise<Voice[]> {
  return await fetchVoices(url, limitMs).catch(() => []);
}

/**
 * What the server at `url` lists.
 * @throws SpeechError `client.invalid_address`, `client.connect_failed`, `client.connect_timeout`, or what the server
 *   answers
 */
export async function fetchVoices(url: string | URL, limitMs = 5_000): Promise<Voice[]> {
  const address = new URL("/api/v1/voices", parseServerAddress(url));
  address.protocol = address.protocol.replace("ws", "http");
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(limitMs) });
    const body: unknown = await response.json().catch(() => undefined);
    if (!response.ok) throw toSpeechError(response, body);
    return parseVoices(body);
  } catch (cause) {
    if (cause instanceof SpeechError) throw cause;
    const isLate = cause instanceof DOMException && cause.name === "TimeoutError";
    throw new SpeechError(isLate ? "client.connect_timeout" : "client.connect_failed", undefined, { cause });
  }
}

function toSpeechError({ headers, status }: Response, body: unknown): SpeechError {
  const requestId = headers.get("x-request-id") ?? undefined;
  const { code, message, retryable } = isRecord(body) ? body : {};
  if (typeof code !== "string" || typeof message !== "string") {
    return new SpeechError("client.not_understood", undefined, { facts: { status }, requestId });
  }
  return new SpeechError(code as SpeechErrorCode, message, { retryable: retryable === true, requestId });
}

/** Entries without an id are left out; a voice without a name goes by its id. */
export function parseVoices(body: unknown): Voice[] {
  const list: unknown = isRecord(body) ? body["voices"] : undefined;
  if (!Array.isArray(list)) return [];
  return list.filter(isRecord).flatMap(({ voice_id: id, name, language }): Voice[] => {
    if (typeof id !== "string") return [];
    return [
      {
        id,
        name: typeof name === "string" && name !== "" ? name : id,
        language: typeof language === "string" ? language.slice(0, 2).toLowerCase() : "",
      },
    ];
  });
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;
