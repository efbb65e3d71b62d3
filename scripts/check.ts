/**
 * `npm run check`: types, lint and format, import directions, literals, native code. All of them run; each says what it
 * found.
 */
import { checkBinariesAloud } from "./check-binaries.ts";
import { checkImportsAloud } from "./check-imports.ts";
import { checkLiteralsAloud } from "./check-literals.ts";
import { runTool } from "./tools.ts";

// What an earlier check has found out is kept: a check after a small change takes a tenth of the CPU time.
const types =
  (await runTool("tsc", ["-p", ".", "--incremental", "--tsBuildInfoFile", ".run/types.tsbuildinfo"])) === 0;
const lint =
  (await runTool("biome", ["ci", `--colors=${process.stdout.isTTY ? "force" : "off"}`, "."])) === 0;
const imports = checkImportsAloud();
const literals = checkLiteralsAloud();
const binaries = checkBinariesAloud();
process.exitCode = types && lint && imports && literals && binaries ? 0 : 1;
