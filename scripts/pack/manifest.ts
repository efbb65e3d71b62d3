import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** A package.json; only what is asked of it. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly publishConfig?: { readonly access: "public" } & Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export const readManifest = async (folder: string): Promise<Manifest> =>
  JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as Manifest;

/**
 * What others install. In the repository `exports` leads to the TypeScript sources, from which everything here runs;
 * the fields of `publishConfig` stand in the place of the fields of the same name, as pnpm and Yarn have it.
 */
export function toPublished(manifest: Manifest): Manifest {
  const { publishConfig, scripts: _scripts, devDependencies: _devDependencies, ...fields } = manifest;
  if (publishConfig === undefined) throw new Error(`${manifest.name} names no publishConfig`);
  const { access, ...published } = publishConfig;
  return { ...fields, ...published, publishConfig: { access } };
}

export const isPublished = ({ publishConfig }: Manifest): boolean => publishConfig?.["exports"] === undefined;

export const encodeManifest = (manifest: Manifest): string => `${JSON.stringify(manifest, null, 2)}\n`;
