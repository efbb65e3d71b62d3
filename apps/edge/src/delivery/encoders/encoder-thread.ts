import { parentPort } from "node:worker_threads";
import type { Codec } from "./codecs/codec.ts";
import { openCodec } from "./codecs/open-codec.ts";
import type { ThreadReply, ThreadRequest } from "./thread-messages.ts";

/** A thread that encodes for many clients: encoding takes milliseconds per second of audio, and is synchronous. */
const port = parentPort;
if (port === null) throw new Error("encoder-thread.ts runs as a worker thread only");

const codecs = new Map<number, Codec>();
/** Opening may wait for a library to load; requests wait behind it, so that all stay in order. */
let last: Promise<void> = Promise.resolve();

port.on("message", (request: ThreadRequest) => {
  last = last.then(() => obey(request));
});

async function obey(request: ThreadRequest): Promise<void> {
  const { id } = request;
  try {
    if (request.kind === "open") codecs.set(id, await openCodec(request.format, request.fromHz));
    else if (request.kind === "close") close(id);
    else reply({ id, pieces: encode(request) });
  } catch (error) {
    close(id);
    reply({ id, failure: String(error) });
  }
}

function encode(request: Extract<ThreadRequest, { kind: "encode" | "finish" }>): Uint8Array<ArrayBuffer>[] {
  const codec = codecs.get(request.id);
  // Its opening has failed, which has been told.
  if (codec === undefined) return [];
  if (request.kind === "finish") return codec.finish();
  const { pcm } = request;
  return codec.encode(new Int16Array(pcm.buffer, pcm.byteOffset, pcm.byteLength / 2));
}

function close(id: number): void {
  codecs.get(id)?.close();
  codecs.delete(id);
}

function reply(message: ThreadReply): void {
  const pieces = "pieces" in message ? message.pieces : [];
  port?.postMessage(
    message,
    pieces.map((piece) => piece.buffer),
  );
}
