import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { prepareInPlace, restoreInPlace } from "./pack/in-place.ts";
import { packInto } from "./pack/staging.ts";
import { root } from "./tools.ts";

/**
 * `npm run pack`: builds `@tts-labs/protocol` and `@tts-labs/client` and packs each into a tarball that installs anywhere
 * (`--into FOLDER`, by default `.run/packages`). `prepare FOLDER` and `restore FOLDER` are what `npm pack` and
 * `npm publish` call in a package's own folder, before and after.
 */
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { into: { type: "string", default: join(root, ".run/packages") } },
});
const [command, folder = ""] = positionals;
// Standard output belongs to npm, whose --json is read by others.
if (command === "prepare") await prepareInPlace(resolve(root, folder));
else if (command === "restore") await restoreInPlace(resolve(root, folder));
else {
  const into = resolve(process.env["INIT_CWD"] ?? root, values.into);
  await mkdir(into, { recursive: true });
  for (const name of ["protocol", "client"] as const) console.log(await packInto(name, into));
}
