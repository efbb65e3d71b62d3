import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Which program a process is, as `/version`, `--version` and `tts_build_info` tell it. */
export interface BuildInfo {
  readonly program: string;
  readonly version: string;
  /** "unknown" where it was not told. */
  readonly commit: string;
}

/** A commit is a label of a metric, so nothing else is taken for one. */
const COMMIT = /^[0-9a-f]{7,64}$/;

/**
 * @param folder of the program's package.json
 * @param commit as `TTS_COMMIT` gives it: an image has it from its build, and `npm start` from git
 */
export function readBuildInfo(program: string, folder: string, commit: string | undefined): BuildInfo {
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    readonly version: string;
  };
  return { program, version, commit: COMMIT.test(commit ?? "") ? (commit ?? "") : "unknown" };
}
