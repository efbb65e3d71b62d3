import { parseServerAddress } from "./server-address.ts";

const STREAM_PATH = "/api/v1/stream";

export interface StreamParameters {
  readonly sessionId?: string;
  readonly delivery?: "burst" | "paced";
  readonly overflow?: "wait" | "drop-oldest";
  readonly frameSamples?: number;
  readonly sentenceCache?: boolean;
  /** The first message will be `resume`. */
  readonly resume?: boolean;
}

/**
 * The WebSocket address of a server given by its page, its host or the stream itself.
 * @throws SpeechError `client.invalid_address`
 */
export function toStreamUrl(server: string | URL, parameters: StreamParameters): URL {
  const url = parseServerAddress(server);
  if (url.protocol === "http:") url.protocol = "ws:";
  if (url.protocol === "https:") url.protocol = "wss:";
  if (!url.pathname.endsWith(STREAM_PATH)) url.pathname = STREAM_PATH;
  url.hash = "";
  const { sessionId, delivery, overflow, frameSamples, sentenceCache, resume } = parameters;
  if (sessionId !== undefined) url.searchParams.set("session_id", sessionId);
  if (delivery !== undefined) url.searchParams.set("delivery", delivery);
  if (overflow !== undefined) url.searchParams.set("overflow", overflow);
  if (frameSamples !== undefined) url.searchParams.set("frame_samples", String(frameSamples));
  if (sentenceCache === true) url.searchParams.set("sentence_cache", "true");
  if (resume === true) url.searchParams.set("resume", "true");
  return url;
}
