import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { transform } from "esbuild";
import { root } from "../tools.ts";
import { writeDeclarations } from "./declarations.ts";
import { endingIn, withSpecifiers } from "./specifiers.ts";

const source = join(root, "packages/protocol/src");

/** `dist` of the protocol: file by file what `src` is, for ECMAScript modules and CommonJS. */
export async function buildProtocol(dist: string): Promise<void> {
  const files = (await readdir(source, { recursive: true })).filter((path) => path.endsWith(".ts"));
  for (const path of files) {
    const text = await readFile(join(source, path), "utf8");
    const file = join(dist, path.replace(/\.ts$/, ""));
    await mkdir(dirname(file), { recursive: true });
    for (const [ending, format] of [
      [".js", "esm"],
      [".cjs", "cjs"],
    ] as const) {
      const { code } = await transform(text, {
        loader: "ts",
        format,
        platform: format === "cjs" ? "node" : "neutral",
        target: "es2022",
        charset: "utf8",
      });
      await writeFile(`${file}${ending}`, withSpecifiers(code, endingIn(ending)));
    }
  }
  await writeDeclarations({
    entries: files.map((path) => `protocol/src/${path}`),
    place: (path) => path.replace(/^protocol\/src\//, ""),
    into: dist,
  });
}
