/**
 * `npm start`: the whole system on this machine. A private Redis unless REDIS_URL is set, a local ElevenLabs
 * unless ELEVENLABS_API_KEY is set, a worker and an edge. Ctrl-C ends them in order; when one ends by itself,
 * so do the rest. `npm start -- --verbose` shows what they do.
 */
import { startLocalSystem, superviseUntilEnd } from "./supervisor/local-system.ts";

const isVerbose = process.argv.includes("--verbose");
await superviseUntilEnd((supervisor) => startLocalSystem(supervisor, { env: process.env, isVerbose }));
