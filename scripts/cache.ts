import { parseCacheCommand } from "./cache/command.ts";

/**
 * `npm run cache -- stats|purge|warm FILE`: what the audio cache holds, emptying it, filling it ahead of time.
 * Exit codes: 0 done, 1 failed (or, for warm, a phrase could not be spoken), 2 called wrongly, 130 interrupted.
 */
const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => interruption.abort());
process.stdout.on("error", () => interruption.abort());

process.exitCode = await parseCacheCommand(process.argv.slice(2), {
  env: process.env,
  folder: process.env["INIT_CWD"] ?? process.cwd(),
  interrupted: interruption.signal,
});
