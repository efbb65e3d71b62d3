/**
 * `npm start`: the whole system on this machine. A private Redis unless REDIS_URL is set, a local ElevenLabs
 * unless a key is set, a worker and an edge. Ctrl-C ends them in order; when one ends by itself, so do the rest.
 */
import { newCommand } from "./command-line.ts";
import { startLocalSystem, superviseUntilEnd } from "./supervisor/local-system.ts";

const command = newCommand("npm start --")
  .description(
    "Runs tts-labs on this machine: Redis, a local ElevenLabs unless a key is set, a worker and an edge.",
  )
  .option("--verbose", "shows what the parts do, not only what goes wrong")
  .addHelpText(
    "after",
    `
Settings are variables of the environment (docs/configuration.md), of which most people set these:
  PORT=8010                     another port than 8006
  ELEVENLABS_API_KEY=…          ElevenLabs' voices instead of the local ones
  REDIS_URL=redis://host:6379   a Redis of your own`,
  )
  .allowExcessArguments(false)
  .parse();
const { verbose: isVerbose = false } = command.opts<{ verbose?: boolean }>();
await superviseUntilEnd((supervisor) => startLocalSystem(supervisor, { env: process.env, isVerbose }));
