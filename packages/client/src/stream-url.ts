const STREAM_PATH = "/api/v1/stream";

export interface StreamParameters {
  readonly sessionId?: string;
  readonly delivery?: "burst" | "paced";
  readonly overflow?: "wait" | "drop-oldest";
  readonly frameSamples?: number;
  /** The first message will be `resume`. */
  readonly resume?: boolean;
}

/** The WebSocket address of a server given by its page, its host or the stream itself. */
export function toStreamUrl(server: string | URL, parameters: StreamParameters): URL {
  const url = new URL(server);
  if (url.protocol === "http:") url.protocol = "ws:";
  if (url.protocol === "https:") url.protocol = "wss:";
  if (!url.pathname.endsWith(STREAM_PATH)) url.pathname = STREAM_PATH;
  url.hash = "";
  const { sessionId, delivery, overflow, frameSamples, resume } = parameters;
  if (sessionId !== undefined) url.searchParams.set("session_id", sessionId);
  if (delivery !== undefined) url.searchParams.set("delivery", delivery);
  if (overflow !== undefined) url.searchParams.set("overflow", overflow);
  if (frameSamples !== undefined) url.searchParams.set("frame_samples", String(frameSamples));
  if (resume === true) url.searchParams.set("resume", "true");
  return url;
}
