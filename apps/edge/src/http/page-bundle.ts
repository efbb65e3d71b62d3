import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** What the audio thread loads. */
export const WORKLET = "player-worklet.js";
/** Where `node apps/edge/src/http/page-bundle.ts` puts the page's scripts, as an image's build does. */
const BUILT = new URL("../../dist/page/", import.meta.url);

let bundled: Promise<ReadonlyMap<string, Uint8Array>> | undefined;

/**
 * The page's scripts by file name, had once per process: those that were built beforehand, else made by esbuild, which
 * an image does not have. The worklet is a file of its own, since the audio thread loads it by address.
 */
export function bundleScripts(): Promise<ReadonlyMap<string, Uint8Array>> {
  bundled ??= readBuilt().then((built) => built ?? bundle());
  return bundled;
}

/** An image has them; a clone never does, where they would go stale. */
async function readBuilt(): Promise<ReadonlyMap<string, Uint8Array> | undefined> {
  const names = await readdir(BUILT).catch(() => undefined);
  if (names === undefined) return undefined;
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(new URL(name, BUILT))] as const)),
  );
}

/** esbuild's service, a child of this process, is stopped afterwards: it would live as long as we do. */
async function bundle(): Promise<ReadonlyMap<string, Uint8Array>> {
  const { build, stop } = await import("esbuild");
  try {
    const { outputFiles } = await build({
      entryPoints: {
        page: fileURLToPath(new URL("../page/main.ts", import.meta.url)),
        "player-worklet": fileURLToPath(import.meta.resolve("@tts-labs/client/player/worklet")),
      },
      bundle: true,
      write: false,
      outdir: "/",
      format: "esm",
      target: "es2022",
      minify: true,
      legalComments: "none",
      logLevel: "silent",
    });
    return new Map(outputFiles.map(({ path, contents }) => [path.replace(/^.*[\\/]/, ""), contents]));
  } finally {
    await stop();
  }
}

if (process.argv[1] === import.meta.filename) {
  await mkdir(BUILT, { recursive: true });
  for (const [name, script] of await bundle()) await writeFile(new URL(name, BUILT), script);
}
