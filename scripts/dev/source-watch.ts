import { type FSWatcher, watch } from "node:fs";
import { join } from "node:path";
import { root } from "../tools.ts";

export type PartName = "edge" | "worker" | "simulator";

/** Ports at which a debugger attaches to each part. */
export const INSPECT_PORTS: Readonly<Record<PartName, number>> = {
  edge: 9229,
  worker: 9230,
  simulator: 9231,
};

const ALL: readonly PartName[] = ["simulator", "worker", "edge"];

/** The parts that read each source folder. */
const READERS: Readonly<Record<string, readonly PartName[]>> = {
  "apps/edge/src": ["edge"],
  "apps/worker/src": ["worker"],
  "apps/simulator/src": ["simulator"],
  // The edge builds its page from the client library.
  "packages/client/src": ["edge"],
  "packages/core/src": ALL,
  "packages/protocol/src": ALL,
};

/** Files that programs read; editors save others beside them. */
const SOURCE = /\.(?:ts|lua|html|css|svg)$/;
/** More names than this say nothing; the parts are restarted all the same. */
const MAX_NAMED_FILES = 3;

export interface SourceChange {
  /** Relative to the project's folder, at most three. */
  readonly files: readonly string[];
  /** In the order in which they are to be restarted. */
  readonly parts: readonly PartName[];
}

export interface SourceWatch {
  /** Resolves when something has changed since the last `take`, or when the watch is over. */
  next(): Promise<void>;
  take(): SourceChange;
}

/** Watches the sources of all parts in `folder` until `signal`. */
export function openSourceWatch(signal: AbortSignal, folder = root): SourceWatch {
  const files = new Set<string>();
  const parts = new Set<PartName>();
  let wake = () => {};
  const watchers: FSWatcher[] = Object.entries(READERS).map(([place, readers]) =>
    watch(join(folder, place), { recursive: true }, (_event, name) => {
      if (name === null || !SOURCE.test(name)) return;
      if (files.size < MAX_NAMED_FILES) files.add(join(place, name));
      for (const part of readers) parts.add(part);
      wake();
    }),
  );
  signal.addEventListener("abort", () => {
    for (const watcher of watchers) watcher.close();
    wake();
  });
  return {
    next: () =>
      new Promise((resolve) => {
        wake = resolve;
        if (parts.size > 0 || signal.aborted) resolve();
      }),
    take: () => {
      const change = { files: [...files], parts: ALL.filter((part) => parts.has(part)) };
      files.clear();
      parts.clear();
      return change;
    },
  };
}
