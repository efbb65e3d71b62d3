import { type ErrorCode, GatewayError } from "@tts-labs/protocol/errors";

/**
 * The server is there but can't serve just now, and says why. In a script's error the word stands in the middle.
 * The first match counts.
 */
const SERVER_STATES: readonly (readonly [RegExp, ErrorCode])[] = [
  [/\bOOM command not allowed\b/, "storage.full"],
  [/\bMISCONF\b/, "storage.disk_failed"],
  [/\bREADONLY\b/, "storage.read_only"],
  [/^LOADING\b/, "storage.loading"],
  [
    /^(CLUSTERDOWN|MASTERDOWN|TRYAGAIN|MOVED|ASK|NOREPLICAS|BUSY|UNBLOCKED|EXECABORT)\b/,
    "storage.unavailable",
  ],
];

/**
 * The border at which ioredis' errors become ours: `storage.timeout` for an answer that did not come in time,
 * a code of its own for what a server in trouble says of itself, `storage.unavailable` for everything else that a
 * healthy Redis would not say, `internal` for a command it refused as wrong, which is a mistake of ours and not to
 * be retried.
 */
export function toStorageError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  if (!(error instanceof Error)) return new GatewayError("storage.unavailable", undefined, { cause: error });
  const [, stated] = SERVER_STATES.find(([words]) => words.test(error.message)) ?? [];
  return new GatewayError(stated ?? unstated(error), undefined, { cause: error });
}

function unstated(error: Error): ErrorCode {
  if (/timed out|timeout/i.test(error.message)) return "storage.timeout";
  return error.name === "ReplyError" ? "internal" : "storage.unavailable";
}
