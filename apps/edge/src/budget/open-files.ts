import { readdir, readFile } from "node:fs/promises";
import type { Logger } from "@tts-labs/core/logger";
import { MAX_OPS_CONNECTIONS, SPARE_CONNECTIONS } from "./connections.ts";

/** File descriptors for what comes besides connections: reconnecting to Redis, files read, the next accept. */
const RESERVED_FILES = 32;
/** Of few file descriptors, the operators' port may have one in so many. */
const OPS_SHARE = 16;

export interface OpenFiles {
  /** How many this process may have open. */
  readonly limit: number;
  /** How many it has. */
  readonly used: number;
}

/** As the system says; undefined where it does not (it does on Linux). */
export async function readOpenFiles(): Promise<OpenFiles | undefined> {
  try {
    const [limits, open] = await Promise.all([
      readFile("/proc/self/limits", "utf8"),
      readdir("/proc/self/fd"),
    ]);
    const limit = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
    return Number.isInteger(limit) ? { limit, used: open.length } : undefined;
  } catch {
    return undefined;
  }
}

/** Connections that either port may have. */
export interface ConnectionBounds {
  readonly clients: number;
  readonly operators: number;
}

/** As `configured`, where there are file descriptors for so many; else fewer, which is said. */
export function boundConnections(
  configured: number,
  files: OpenFiles | undefined,
  logger: Pick<Logger, "warn">,
): ConnectionBounds {
  if (files === undefined) return { clients: configured, operators: MAX_OPS_CONNECTIONS };
  const operators = Math.min(MAX_OPS_CONNECTIONS, Math.ceil(files.limit / OPS_SHARE));
  const besides = files.used + RESERVED_FILES + operators + 2 * SPARE_CONNECTIONS;
  const clients = Math.min(configured, Math.max(1, files.limit - besides));
  if (clients < configured) {
    logger.warn(
      { limit: files.limit, connections: clients, configured, needed: configured + besides },
      "the limit of open files is too low for EDGE_MAX_CONNECTIONS, so fewer connections are taken: raise it (ulimit -n, LimitNOFILE) to what is needed",
    );
  }
  return { clients, operators };
}
