import { GatewayError } from "@tts-labs/protocol/errors";
import { COMMAND_TIMEOUT_MS } from "./client.ts";

/**
 * `promise`, or `storage.timeout` after a little more than a command's own timeout. ioredis times commands
 * only once they are on a connection; what waits for a cluster to come up would wait without end.
 */
export async function settleWithin<T>(promise: Promise<T>, limitMs = COMMAND_TIMEOUT_MS + 500): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new GatewayError("storage.timeout")), limitMs);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
