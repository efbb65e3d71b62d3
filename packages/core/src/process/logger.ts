import { pino } from "pino";
import type { Logger } from "../logger.ts";

/** One JSON line per event on standard output. */
export function openLogger(options: {
  readonly name: string;
  readonly level: string;
  readonly nodeId?: string;
}): Logger {
  return pino({
    name: options.name,
    level: options.level,
    base: options.nodeId === undefined ? {} : { node: options.nodeId },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: ["apiKey", "*.apiKey", "headers", "*.headers", "token", "*.token"], censor: "[secret]" },
  });
}
