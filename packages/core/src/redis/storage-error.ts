import { GatewayError } from "../errors.ts";

/** The server is there but can't serve just now: start-up, failover, resharding, no memory, a long script. */
const SERVER_STATE =
  /^(LOADING|READONLY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|MOVED|ASK|OOM|MISCONF|NOREPLICAS|BUSY|UNBLOCKED|EXECABORT)\b/;

/**
 * The border at which ioredis' errors become ours: `storage.timeout` for an answer that did not come in time,
 * `storage.unavailable` for everything a healthy Redis would not say, `internal` for a command it refused as
 * wrong, which is a mistake of ours and not to be retried.
 */
export function toStorageError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  if (error instanceof Error) {
    if (/timed out|timeout/i.test(error.message)) {
      return new GatewayError("storage.timeout", undefined, { cause: error });
    }
    if (error.name === "ReplyError" && !SERVER_STATE.test(error.message)) {
      return new GatewayError("internal", undefined, { cause: error });
    }
  }
  return new GatewayError("storage.unavailable", undefined, { cause: error });
}
