/**
 * `npm run dev`: what `npm start` starts, for someone who changes it. A part is restarted when a file of its own, or
 * of a package that it uses, is saved; a part that does not start again says why and waits for the next change.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { newCommand } from "./command-line.ts";
import { INSPECT_PORTS, openSourceWatch, type PartName } from "./dev/source-watch.ts";
import { startLocalSystem, superviseUntilEnd } from "./supervisor/local-system.ts";
import type { Supervisor } from "./supervisor/supervisor.ts";

const parts = Object.keys(INSPECT_PORTS).join(", ");
const command = newCommand("npm run dev --")
  .description("Runs Redis, simulator, worker and edge, and restarts a part when its source changes.")
  .option("--inspect [parts]", `lets a debugger attach: ${parts}, several with commas, or all without a name`)
  .option("--verbose", "shows what the parts do, not only what goes wrong")
  .parse();
const { inspect, verbose = false } = command.opts<{ inspect?: string | true; verbose?: boolean }>();
const inspected = new Set<string>(
  inspect === undefined ? [] : inspect === true ? Object.keys(INSPECT_PORTS) : inspect.split(","),
);
for (const name of inspected) {
  if (!(name in INSPECT_PORTS)) command.error(`--inspect knows ${parts}, not "${name}".`);
}

const say = (text: string) => process.stdout.write(`${text}\n`);
/** An editor may write several files at once; they are one change. */
const GATHER_MS = 100;

const nodeFlags = (name: string) =>
  inspected.has(name) ? [`--inspect=127.0.0.1:${INSPECT_PORTS[name as PartName]}`] : [];

await superviseUntilEnd(async (supervisor, stopped) => {
  await startLocalSystem(supervisor, { env: process.env, isVerbose: verbose, nodeFlags });
  for (const name of inspected) {
    say(`  debugger             ${name} at 127.0.0.1:${INSPECT_PORTS[name as PartName]} (chrome://inspect)`);
  }
  say("  Save a file, and the part that uses it is restarted.\n");
  void restartOnChange(supervisor, stopped);
});

async function restartOnChange(supervisor: Supervisor, stopped: AbortSignal): Promise<void> {
  const changes = openSourceWatch(stopped);
  while (!stopped.aborted) {
    await changes.next();
    await sleep(GATHER_MS, undefined, { signal: stopped }).catch(() => {});
    const { files, parts: changed } = changes.take();
    for (const name of changed) {
      if (stopped.aborted) return;
      const beganMs = performance.now();
      try {
        await supervisor.restart(name);
        say(`  ${name} restarted in ${Math.round(performance.now() - beganMs)} ms (${files.join(", ")})`);
      } catch (error) {
        if (!stopped.aborted) say(`  ${(error as Error).message} It is started again at the next change.`);
      }
    }
  }
}
