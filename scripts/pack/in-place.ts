import { copyFile, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { root } from "../tools.ts";
import { encodeManifest, isPublished, readManifest, toPublished } from "./manifest.ts";
import { BUILD, type PackageName } from "./staging.ts";

/**
 * Before `npm pack` in a package's own folder: builds `dist`, and puts the manifest that others install in the place of
 * the one from which the repository runs. The latter is kept until `restoreInPlace`, also over a crash between the two.
 */
export async function prepareInPlace(folder: string): Promise<void> {
  const name = basename(folder);
  if (!isPackageName(name)) throw new RangeError(`"${name}" is no package that is packed`);
  await restoreInPlace(folder);
  const dist = join(folder, "dist");
  await rm(dist, { recursive: true, force: true });
  await BUILD[name](dist);
  await mkdir(join(root, ".run"), { recursive: true });
  const manifest = await readManifest(folder);
  // With the scripts, npm finds its way back here where it failed in between.
  const published = encodeManifest({ ...toPublished(manifest), scripts: manifest["scripts"] });
  await copyFile(join(folder, "package.json"), keptManifest(folder));
  await writeFile(join(folder, "package.json"), published);
}

/** After it. Safe to call twice. */
export async function restoreInPlace(folder: string): Promise<void> {
  if (isPublished(await readManifest(folder))) {
    await rename(keptManifest(folder), join(folder, "package.json"));
  }
}

const keptManifest = (folder: string): string => join(root, ".run", `${basename(folder)}-package.json`);

const isPackageName = (name: string): name is PackageName => Object.hasOwn(BUILD, name);
