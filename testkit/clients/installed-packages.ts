import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const LIMIT_MS = 120_000;

/** What an application has that was given our tarballs: a folder of its own, outside the repository. */
export interface Installed {
  readonly folder: string;
  readonly tarballs: { readonly protocol: string; readonly client: string };
  /** Writes a file of the application. @returns its path */
  write(name: string, content: string): Promise<string>;
  close(): Promise<void>;
}

/** Packs both packages and installs them as `npm install` does, without a registry: zod is packed from here, too. */
export async function installPackages(): Promise<Installed> {
  const folder = await mkdtemp(join(tmpdir(), "tts-app-"));
  const close = () => rm(folder, { recursive: true, force: true });
  try {
    const pack = [join(root, "scripts/pack.ts"), "--into", folder];
    const packed = await run(process.execPath, pack, { timeout: LIMIT_MS });
    const [protocol = "", client = ""] = packed.stdout.trim().split("\n");
    const zod = await run("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], {
      cwd: join(root, "node_modules/zod"),
      timeout: LIMIT_MS,
    });
    const write = async (name: string, content: string) => {
      const path = join(folder, name);
      await writeFile(path, content);
      return path;
    };
    await write("package.json", JSON.stringify({ name: "app", private: true, type: "module" }));
    const flags = ["--offline", "--ignore-scripts", "--no-audit", "--no-fund"];
    const all = [protocol, client, join(folder, zod.stdout.trim())];
    await run("npm", ["install", ...flags, ...all], { cwd: folder, timeout: LIMIT_MS });
    return { folder, tarballs: { protocol, client }, write, close };
  } catch (error) {
    await close();
    throw error;
  }
}
