/** `npm run format`: puts every file into the house's shape, mending what Biome can mend safely. */
import { runTool } from "./tools.ts";

process.exitCode = await runTool("biome", ["check", "--write", "."]);
