import { WebSocket } from "ws";
import { Ear, type HeardUtterance, within } from "./speech.ts";

/**
 * The least that speaks with the upstream: what an application would write for itself. One utterance per
 * socket. A *warm* one is upgraded and opened before the clock starts; a *cold* one begins with the clock.
 */
export interface DirectRoute {
  /** Base address of the provider, http or https. */
  readonly url: string;
  readonly apiKey: string;
  readonly voice: string;
  readonly model: string;
  readonly sampleRateHz: number;
}

const LIMIT_MS = 20_000;

/** A socket that is upgraded and has sent its opening message. */
export function openDirectSocket(route: DirectRoute): Promise<WebSocket> {
  const address = new URL(`/v1/text-to-speech/${route.voice}/stream-input`, route.url.replace(/^http/, "ws"));
  address.searchParams.set("model_id", route.model);
  address.searchParams.set("output_format", `pcm_${route.sampleRateHz}`);
  const socket = new WebSocket(address, {
    headers: { "xi-api-key": route.apiKey },
    perMessageDeflate: false,
    maxPayload: 16 * 1024 * 1024,
  });
  socket.on("error", () => {}); // what matters of it is told by the close that follows
  const opened = new Promise<WebSocket>((resolve, reject) => {
    socket.once("error", reject);
    socket.once("open", () => {
      socket.send(JSON.stringify({ text: " " }));
      resolve(socket);
    });
  });
  return within(LIMIT_MS, "connecting to the provider", opened);
}

/** Speaks `text` on a socket from `openDirectSocket`, which is used up by it. */
export function speakDirect(
  socket: WebSocket,
  text: string,
  startedAtMs = performance.now(),
): Promise<HeardUtterance> {
  const ear = new Ear(startedAtMs);
  const spoken = new Promise<HeardUtterance>((resolve, reject) => {
    socket.on("message", (data: Buffer) => {
      const atMs = performance.now();
      const message = JSON.parse(data.toString()) as {
        audio?: string | null;
        isFinal?: boolean | null;
        error?: string;
      };
      if (message.error !== undefined) reject(new Error(`the provider said: ${message.error}`));
      if (message.audio) ear.hear(Buffer.from(message.audio, "base64"), atMs);
      if (message.isFinal === true) resolve(ear.finish());
    });
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the provider closed before the end")));
  });
  socket.send(JSON.stringify({ text: `${text} `, flush: true }));
  socket.send(JSON.stringify({ text: "" }));
  return within(LIMIT_MS, "speaking directly", spoken).finally(() => socket.close(1000));
}

export async function speakDirectCold(route: DirectRoute, text: string): Promise<HeardUtterance> {
  const startedAtMs = performance.now();
  return speakDirect(await openDirectSocket(route), text, startedAtMs);
}
