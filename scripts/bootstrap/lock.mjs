import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SetupError } from "./processes.mjs";

const WAIT_LIMIT_MS = 900_000;

/**
 * One set-up at a time: `npm start` and `npm test` may be called at once in a fresh clone. The file holds the
 * owner's pid and, where the kernel tells it, its start time, so that a pid used again (containers!) does not
 * pass for the owner.
 */
export async function withLock(path, action) {
  const release = await acquire(path);
  try {
    return await action();
  } finally {
    release();
  }
}

async function acquire(path) {
  mkdirSync(dirname(path), { recursive: true });
  const mine = `${path}.${process.pid}`;
  const me = identity(process.pid);
  const deadline = Date.now() + WAIT_LIMIT_MS;
  let told = false;
  writeFileSync(mine, me);
  try {
    // A link appears with its content or not at all; a file created and then written can be read empty.
    while (!linked(mine, path)) {
      const holder = content(path);
      if (holder !== undefined && !lives(holder)) removeStale(path, holder);
      else if (Date.now() > deadline) {
        throw new SetupError(
          `Another set-up (process ${holder}) holds ${path} for 15 minutes; end it first.`,
        );
      } else {
        if (!told) process.stderr.write("Another set-up is at work; waiting for it.\n");
        told = true;
        await sleep(200);
      }
    }
  } finally {
    rmSync(mine, { force: true });
  }
  const release = () => {
    if (content(path) === me) rmSync(path, { force: true });
    process.off("exit", release);
  };
  process.on("exit", release);
  return release;
}

function linked(from, to) {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

/** Moves the lock aside first: if it has meanwhile become a living owner's, it is put back. */
function removeStale(path, holder) {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
    if (content(aside) !== holder) linked(aside, path);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function content(path) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

function lives(holder) {
  const pid = Number.parseInt(holder, 10);
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code === "ESRCH") return false;
  }
  return identity(pid) === holder;
}

function identity(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name (field 2) may hold blanks; after its bracket comes field 3. Start time is field 22.
    const startedTicks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return `${pid} ${startedTicks}`;
  } catch {
    return String(pid);
  }
}
