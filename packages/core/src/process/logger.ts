import { pino } from "pino";
import type { Logger } from "../logger.ts";
import { toLoggedError } from "./log-error.ts";
import { censor } from "./secrets.ts";

export interface LoggerOptions {
  readonly name: string;
  /** "info" where it is none. */
  readonly level: string | undefined;
  readonly nodeId?: string;
  /** Strings that may stand in no log line. */
  readonly secrets?: readonly string[];
  /** The destination of lines; default: standard output. */
  readonly write?: (line: string) => void;
}

/** One JSON line per event. Errors are told as `LoggedError`, whatever the field's name. */
export function openLogger(options: LoggerOptions): Logger {
  const { name, level = "info", nodeId, secrets = [] } = options;
  const hide = censor(secrets);
  const write = options.write ?? toStandardOutput();
  return pino(
    {
      name,
      level: level === "silent" || Object.hasOwn(pino.levels.values, level) ? level : "info",
      base: nodeId === undefined ? {} : { node: nodeId },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: (error: unknown) => error },
      formatters: {
        log: (fields) =>
          Object.fromEntries(
            Object.entries(fields).map(([key, value]) => [
              key,
              isError(key, value) ? toLoggedError(value) : value,
            ]),
          ),
      },
      redact: {
        paths: ["apiKey", "*.apiKey", "headers", "*.headers", "token", "*.token"],
        censor: "[secret]",
      },
    },
    { write: (line) => write(hide(line)) },
  );
}

/** `err` is always one, also where something else was thrown. */
const isError = (key: string, value: unknown): boolean =>
  value instanceof Error || (key === "err" && value !== undefined);

function toStandardOutput(): (line: string) => void {
  const stream = pino.destination({ fd: 1, sync: true });
  return (line) => void stream.write(line);
}
