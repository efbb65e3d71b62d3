/**
 * `node scripts/run.mjs <command> [arguments]`: makes this machine ready for the command, then runs
 * `scripts/<command>.ts` under Node 22. Needs nothing but a Node (18 or later) and its npm.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "./bootstrap/lock.mjs";
import { ensureNode22 } from "./bootstrap/node22.mjs";
import { withNode } from "./bootstrap/npm.mjs";
import { ensurePackages } from "./bootstrap/packages.mjs";
import { endRunning, findOnPath, SetupError } from "./bootstrap/processes.mjs";
import { ensureChromium, ensureRedisServer } from "./bootstrap/servers.mjs";

/** `redis`: whether a server of its own is started; "unless-given": REDIS_URL does as well. */
const COMMANDS = {
  start: { redis: "unless-given" },
  dev: { redis: "unless-given" },
  test: { redis: "always", chromium: true },
  check: {},
  format: {},
  say: {},
  bench: { redis: "always" },
  cache: {},
  chaos: { redis: "always" },
  pack: {},
  keys: {},
  live: {},
};

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];
const root = dirname(dirname(fileURLToPath(import.meta.url)));

async function main([name = "", ...args]) {
  const command = COMMANDS[name];
  if (command === undefined) {
    throw new SetupError(`Commands: ${Object.keys(COMMANDS).join(", ")}.`);
  }
  const endSetup = (signal) => {
    endRunning(signal);
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of SIGNALS) process.on(signal, endSetup);
  const { node, environment } = await withLock(join(root, ".run", "setup.lock"), () => prepare(command));
  for (const signal of SIGNALS) process.off(signal, endSetup);
  process.exitCode = await hand(node, [join(root, "scripts", `${name}.ts`), ...args], environment);
}

async function prepare(command) {
  const node = await ensureNode22(root);
  await ensurePackages(root, node);
  const environment = withNode(node, process.env);
  if (command.redis === "always" || (command.redis === "unless-given" && !process.env.REDIS_URL)) {
    environment.REDIS_SERVER_BIN = await ensureRedisServer(root);
  }
  if (command.chromium) {
    const { path, reason } = await ensureChromium();
    if (path !== undefined) environment.CHROMIUM_BIN = path;
    else {
      delete environment.CHROMIUM_BIN;
      environment.CHROMIUM_MISSING = reason;
    }
  }
  return { node, environment };
}

/** Runs the real program: signals go to it, its exit code is ours. On Linux it ends with us even on kill -9. */
function hand(node, args, environment) {
  const flags = ["--disable-warning=ExperimentalWarning", ...args];
  const setpriv = process.platform === "linux" ? findOnPath("setpriv") : undefined;
  const child =
    setpriv === undefined
      ? spawn(node, flags, { env: environment, stdio: "inherit" })
      : spawn(setpriv, ["--pdeathsig", "SIGTERM", node, ...flags], { env: environment, stdio: "inherit" });
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));

  // npm killed with -9 tells no process; its child then belongs to another parent.
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.env.npm_lifecycle_event !== undefined && process.ppid !== parent) child.kill("SIGTERM");
  }, 1_000);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      clearInterval(watch);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error instanceof SetupError ? error.message : error.stack}\n`);
  process.exitCode = 1;
});
