import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PREFIX = "tts-labs-redis-";
const OWNED = new RegExp(`^${PREFIX}(\\d+)-`);
export const SOCKET_FILE = "redis.sock";
/** The kernel takes paths of sockets up to 107 bytes, some up to 103. */
const MAX_SOCKET_PATH_BYTES = 103;
const PROBE_LIMIT_MS = 500;

/**
 * A folder for a private Redis, for this user's eyes only (0700), whose name tells which process owns it. What earlier
 * owners have left, killed before they could remove it, is removed first.
 */
export async function makeRedisFolder(): Promise<string> {
  const parent = parentFolder();
  await sweepAbandoned(parent).catch(() => undefined);
  return mkdtemp(join(parent, `${PREFIX}${process.pid}-`));
}

/** Some systems' own folder for temporary files has too long a path for a socket in it. */
function parentFolder(): string {
  const longest = join(tmpdir(), `${PREFIX}4194304-XXXXXX`, SOCKET_FILE);
  return Buffer.byteLength(longest) > MAX_SOCKET_PATH_BYTES ? "/tmp" : tmpdir();
}

/**
 * Removes folders whose owner lives no more. Other users' are left alone, and those whose socket answers: in a
 * container an owner may live that can't be seen from here.
 */
export async function sweepAbandoned(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const [, pid] = OWNED.exec(name) ?? [];
    if (pid === undefined || lives(Number(pid))) continue;
    const folder = join(parent, name);
    const { uid } = await stat(folder).catch(() => ({ uid: -1 }));
    if (uid !== process.getuid?.() || (await answers(join(folder, SOCKET_FILE)))) continue;
    await rm(folder, { recursive: true, force: true });
  }
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(PROBE_LIMIT_MS, () => end(true));
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}
