import type { StreamWriter } from "@tts-labs/core/stream/stream";
import { GatewayError } from "@tts-labs/protocol/errors";

/**
 * Looks at an utterance's record at once and every `everyMs`: a worker that was frozen and replaced learns so
 * even while it has nothing to append, and those that wait for it see that it lives. That Redis can't be asked
 * just now proves nothing.
 * @returns what ends the watch
 */
export function watchLease(
  writer: StreamWriter,
  everyMs: number,
  onLost: (error: GatewayError) => void,
): () => void {
  let asking = false;
  const look = () => {
    if (asking) return;
    asking = true;
    writer
      .assertCurrent()
      .catch((error: unknown) => {
        if (error instanceof GatewayError && error.code === "lease.lost") onLost(error);
      })
      .finally(() => {
        asking = false;
      });
  };
  look();
  const timer = setInterval(look, everyMs);
  return () => clearInterval(timer);
}
