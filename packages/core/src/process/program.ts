import { toGatewayError } from "@tts-labs/protocol/errors";
import type { Logger } from "../logger.ts";

/** What a program tells the one that has started it, over the channel that only these two have. */
export type ProgramMessage =
  /** It listens here, on ports of its own. */
  | { readonly kind: "listening"; readonly url: string; readonly opsUrl?: string }
  /** It ends, because of this, in a sentence. */
  | { readonly kind: "failed"; readonly reason: string };

/** A process without a parent that listens does nothing here. */
export function tellParent(message: ProgramMessage): void {
  process.send?.(message);
}

/**
 * Says why a program can't start, to its parent if there is one, else as one line of the log: a sentence for what an
 * operator can change, with the stack for everything else. The process ends with 1.
 */
export function tellStartFailure(logger: Logger, name: string, thrown: unknown): void {
  const { code, message: reason, cause } = toGatewayError(thrown);
  process.exitCode = 1;
  if (code === "internal") logger.error({ code, reason, err: cause }, `${name} can't start`);
  else if (process.send === undefined) logger.error({ code, reason }, `${name} can't start`);
  tellParent({ kind: "failed", reason });
}

/** An uncaught error is logged as every error is, not printed with all that hangs on it; then the process ends. */
export function logUncaught(logger: Logger): void {
  process.on("uncaughtException", (err) => {
    logger.error({ err }, "uncaught error");
    process.exit(1);
  });
}
