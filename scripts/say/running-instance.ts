import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../tools.ts";

const FOLDER = join(root, ".run", "instances");
export const USUAL_URL = "http://localhost:8006";

export interface Instance {
  readonly pid: number;
  readonly url: string;
  /** Of its edge, for operators. */
  readonly opsUrl?: string;
  readonly startedAtMs: number;
}

/**
 * Notes that this process serves at `url`, for `npm run say`, which would not find it else. @returns what takes the
 * note away
 */
export function noteInstance(
  { url, opsUrl }: Pick<Instance, "url" | "opsUrl">,
  folder: string = FOLDER,
): () => void {
  const file = join(folder, `${process.pid}.json`);
  const instance = { pid: process.pid, url, opsUrl, startedAtMs: Date.now() };
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, JSON.stringify(instance));
  return () => rmSync(file, { force: true });
}

/** The address of the newest instance that still runs, else the usual address. */
export const findInstance = (folder: string = FOLDER): string => instances(folder)[0]?.url ?? USUAL_URL;

/** Those that still run, the newest first. Notes of dead ones are swept. */
export const instances = (folder: string = FOLDER): readonly Instance[] =>
  namesIn(folder)
    .map((name) => readNote(join(folder, name)))
    .filter((it) => it !== undefined)
    .sort((a, b) => b.startedAtMs - a.startedAtMs);

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
