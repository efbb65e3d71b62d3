import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "../tools.ts";
import { buildClient } from "./build-client.ts";
import { buildProtocol } from "./build-protocol.ts";
import { encodeManifest, readManifest, toPublished } from "./manifest.ts";

const run = promisify(execFile);
const LIMIT_MS = 120_000;

export type PackageName = "protocol" | "client";

export const BUILD: Readonly<Record<PackageName, (dist: string) => Promise<void>>> = {
  protocol: buildProtocol,
  client: buildClient,
};

/** Packs without touching the package's own folder, from which others may be running. @returns the tarball's path */
export async function packInto(name: PackageName, into: string): Promise<string> {
  const own = join(root, "packages", name);
  const staged = await mkdtemp(join(root, ".run", `pack-${name}-`));
  try {
    await BUILD[name](join(staged, "dist"));
    for (const part of ["README.md", "LICENSE", "examples"]) {
      await cp(join(own, part), join(staged, part), { recursive: true }).catch(ignoreMissing);
    }
    await writeFile(join(staged, "package.json"), encodeManifest(toPublished(await readManifest(own))));
    const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", into];
    const { stdout } = await run("npm", args, { cwd: staged, timeout: LIMIT_MS });
    const [packed] = Object.values(JSON.parse(stdout) as Record<string, { readonly filename: string }>);
    if (packed === undefined) throw new Error(`npm packed nothing: ${stdout}`);
    return join(into, packed.filename);
  } finally {
    await rm(staged, { recursive: true, force: true });
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}
