import { parseSayOptions } from "./say/options.ts";
import { EXIT, runSay } from "./say/run-say.ts";

/**
 * `npm run say -- "text"`: speech on the command line. Exit codes: 0 spoken, 1 failed, 2 called wrongly,
 * 130 interrupted (what had come until then is kept).
 */
const interruption = new AbortController();
let interruptedAtMs: number | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // A terminal's Ctrl-C may arrive twice at once; a later one means it.
    if (interruptedAtMs !== undefined && Date.now() - interruptedAtMs > 1_000) process.exit(EXIT.interrupted);
    interruptedAtMs ??= Date.now();
    interruption.abort();
  });
}
// A reader of our output may leave before its end, as `head` does.
process.stdout.on("error", (error) => interruption.abort(error));

process.exitCode = await runSay(parseSayOptions(process.argv.slice(2)), {
  folder: process.env["INIT_CWD"] ?? process.cwd(),
  interrupted: interruption.signal,
});
