import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build, transform } from "esbuild";
import { root } from "../tools.ts";
import { writeDeclarations } from "./declarations.ts";
import { endingIn, withSpecifiers } from "./specifiers.ts";

const source = join(root, "packages/client/src");
const COMMON = {
  bundle: true,
  format: "esm",
  platform: "neutral",
  target: "es2022",
  charset: "utf8",
} as const;

/**
 * `dist` of the client: two entries with what they share, for ECMAScript modules and CommonJS, and the player's worklet.
 * What the client uses of the protocol is part of it, so that it is installed alone.
 */
export async function buildClient(dist: string): Promise<void> {
  await build({
    ...COMMON,
    entryPoints: { index: join(source, "index.ts"), player: join(source, "player/index.ts") },
    outdir: dist,
    splitting: true,
    // One chunk: what both entries need.
    chunkNames: "shared",
    sourcemap: true,
    logLevel: "error",
  });
  // Not minified: what has less than 4 KiB, bundlers put into a data: address, which a strict policy refuses.
  await build({
    ...COMMON,
    entryPoints: { worklet: join(source, "player/worklet.ts") },
    outdir: dist,
    logLevel: "error",
  });
  for (const name of ["index", "player", "shared"]) {
    const code = await readFile(join(dist, `${name}.js`), "utf8");
    const { code: common } = await transform(withSpecifiers(code, endingIn(".cjs")), {
      format: "cjs",
      platform: "node",
      target: "es2022",
      charset: "utf8",
      // CommonJS knows no address of its own; the player then asks for the worklet's.
      define: { "import.meta.url": "undefined" },
    });
    await writeFile(join(dist, `${name}.cjs`), common.replace(/\n\/\/# sourceMappingURL=.*\n?$/, "\n"));
  }
  await writeDeclarations({
    entries: ["client/src/index.ts", "client/src/player/index.ts"],
    place: (path) => path.replace(/^client\/src\//, "").replace(/^protocol\/src\//, "protocol/"),
    into: join(dist, "types"),
  });
  await mkdir(join(dist, "types"), { recursive: true });
  await writeFile(join(dist, "types/worklet.d.ts"), "export {};\n");
}
