import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../tools.ts";

const FOLDER = join(root, ".run", "instances");
export const USUAL_URL = "http://localhost:8006";

interface Instance {
  readonly pid: number;
  readonly url: string;
  readonly startedAtMs: number;
}

/**
 * Notes that this process serves at `url`, for `npm run say`, which would not find it else. @returns what takes the
 * note away
 */
export function noteInstance(url: string, folder = FOLDER): () => void {
  const file = join(folder, `${process.pid}.json`);
  const instance: Instance = { pid: process.pid, url, startedAtMs: Date.now() };
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, JSON.stringify(instance));
  return () => rmSync(file, { force: true });
}

/** The address of the newest instance that still runs, else the usual address. Notes of dead ones are swept. */
export function findInstance(folder = FOLDER): string {
  const alive = namesIn(folder)
    .map((name) => readNote(join(folder, name)))
    .filter((it) => it !== undefined)
    .sort((a, b) => b.startedAtMs - a.startedAtMs);
  return alive[0]?.url ?? USUAL_URL;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readNote(file: string): Instance | undefined {
  try {
    const note = JSON.parse(readFileSync(file, "utf8")) as Instance;
    if (isAlive(note.pid) && URL.canParse(note.url)) return note;
  } catch {
    // Half written, or not ours: it says nothing.
  }
  rmSync(file, { force: true });
  return undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
