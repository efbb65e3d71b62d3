import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const NPM_LIMIT_MS = 300_000;
const DRIVE_LIMIT_MS = 120_000;
/** Audio comes back as base64. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/**
 * A client that others wrote, as its users have it: installed by `npm ci` from a lock of its own into a folder of its
 * own, `.run/clients/…`, and driven in a process of its own by the script `drive.mjs`, which is given one JSON argument
 * and prints one JSON value.
 */
export class ForeignClient {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Installs it where its lock has changed since. @param name of its folder in `test/clients` */
  static async install(name: string): Promise<ForeignClient> {
    const source = join(ROOT, "test/clients", name);
    const folder = join(ROOT, ".run/clients", name);
    const lock = await readFile(join(source, "package-lock.json"), "utf8");
    const stamp = join(folder, "installed");
    await mkdir(folder, { recursive: true });
    await copyFile(join(source, "drive.mjs"), join(folder, "drive.mjs"));
    if ((await readFile(stamp, "utf8").catch(() => "")) === lock) return new ForeignClient(folder);
    await rm(stamp, { force: true });
    for (const file of ["package.json", "package-lock.json"]) {
      await copyFile(join(source, file), join(folder, file));
    }
    // No script of a stranger's package is run.
    const npm = join(dirname(process.execPath), "npm");
    const asked = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    await run(npm, asked, { cwd: folder, timeout: NPM_LIMIT_MS }).catch(() =>
      run("npm", asked, { cwd: folder, timeout: NPM_LIMIT_MS }),
    );
    await writeFile(stamp, lock);
    return new ForeignClient(folder);
  }

  /** @throws Error where the script fails or takes too long */
  async drive<T>(order: object): Promise<T> {
    const { stdout } = await run(process.execPath, ["drive.mjs", JSON.stringify(order)], {
      cwd: this.#folder,
      timeout: DRIVE_LIMIT_MS,
      maxBuffer: MAX_OUTPUT_BYTES,
    });
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "null") as T;
  }

  /** Runs a program beside the client, as its users write one. @returns the files that it has written */
  async run(
    code: string,
    files: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Readonly<Record<string, Buffer>>> {
    const folder = await mkdtemp(join(this.#folder, "example-"));
    try {
      await writeFile(join(folder, "example.mjs"), code);
      const env = { ...process.env, ...environment };
      await run(process.execPath, ["example.mjs"], { cwd: folder, timeout: DRIVE_LIMIT_MS, env });
      const contents = await Promise.all(
        files.map(async (file) => [file, await readFile(join(folder, file))] as const),
      );
      return Object.fromEntries(contents);
    } finally {
      await rm(folder, { recursive: true });
    }
  }
}
