import { extname } from "node:path";

/** Endings of bare samples; everything else that can be written is a WAV. */
const BARE = new Set([".pcm", ".raw"]);

export type FileFormat = "wav" | "raw";

/** By the name's ending; none (a pipe, `/dev/null`) is a WAV. `undefined`: a format that can't be written. */
export function formatOf(file: string): FileFormat | undefined {
  const ending = extname(file).toLowerCase();
  if (BARE.has(ending)) return "raw";
  return ending === ".wav" || ending === "" ? "wav" : undefined;
}

/** What the system said of a file or a pipe, as a sentence; `undefined` where it is about something else. */
export function explainFileError(error: unknown, out: string): string | undefined {
  const where = out === "-" ? "standard output" : `"${out}"`;
  switch ((error as NodeJS.ErrnoException | undefined)?.code) {
    case "ENOENT":
    case "ENOTDIR":
      return `${where} can't be written: its folder does not exist.`;
    case "ENOSPC":
    case "EDQUOT":
      return `${where} can't be written to its end: there is no space left.`;
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return `${where} can't be written: permission denied.`;
    case "EISDIR":
      return `${where} is a folder: name a file in it.`;
    case "EPIPE":
    case "ERR_STREAM_DESTROYED":
    case "ERR_STREAM_PREMATURE_CLOSE":
      return `The speech could not be passed on: what reads ${where} has ended.`;
    default:
      return undefined;
  }
}
