import type { StreamStore } from "@tts-labs/core/stream/stream";
import type { HeldSource } from "./speech-source.ts";

/** A leader's own stream, for one who comes back to the middle of it: what is still held of it is enough for him. */
export function leaderSource(streams: StreamStore, leaderId: string): HeldSource {
  const stream = { tag: leaderId, name: "audio" } as const;
  return {
    reader: (_, options) => streams.reader(stream, { ...options, from: "oldest" }),
    inspect: () => streams.inspect(stream),
    close: () => {},
    leave: () => {},
  };
}
