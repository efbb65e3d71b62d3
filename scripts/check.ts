/** `npm run check`: types, lint and format, import directions. All of them run; each says what it found. */
import { checkImportsAloud } from "./check-imports.ts";
import { runTool } from "./tools.ts";

const types = (await runTool("tsc", ["-p", "."])) === 0;
const lint =
  (await runTool("biome", ["ci", `--colors=${process.stdout.isTTY ? "force" : "off"}`, "."])) === 0;
const imports = checkImportsAloud();
process.exitCode = types && lint && imports ? 0 : 1;
