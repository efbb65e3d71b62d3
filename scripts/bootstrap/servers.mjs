import { join } from "node:path";
import { canInstall, installPackage, unpackRedis } from "./debian.mjs";
import { findOnPath, isExecutable, SetupError } from "./processes.mjs";

/**
 * A Redis server to start privately. Looked for in REDIS_SERVER_BIN, then PATH; else installed, or without
 * root unpacked into `.toolchain/redis`.
 * @returns its path
 */
export async function ensureRedisServer(root) {
  const given = process.env.REDIS_SERVER_BIN;
  if (given) {
    if (isExecutable(given)) return given;
    throw new SetupError(`REDIS_SERVER_BIN=${given} is not a program.`);
  }
  const find = () => findOnPath("redis-server", "valkey-server");
  const found = find();
  if (found !== undefined) return found;

  const said = canInstall() ? await installPackage("redis-server") : undefined;
  const installed = find() ?? (await unpackRedis(join(root, ".toolchain", "redis")));
  if (installed !== undefined) return installed;
  throw new SetupError(
    `${said === undefined ? "" : `${said}\n\n`}No redis-server was found. Do one of these and start again:\n` +
      "  Debian, Ubuntu    sudo apt-get install redis-server\n" +
      "  macOS             brew install redis\n" +
      "  one that runs     REDIS_URL=redis://host:6379 npm start",
  );
}

/**
 * A Chromium for the browser tests. Looked for in CHROMIUM_BIN, then PATH; else installed.
 * @returns its path, or the reason why there is none: then those tests are skipped
 */
export async function ensureChromium() {
  const given = process.env.CHROMIUM_BIN;
  if (given)
    return isExecutable(given) ? { path: given } : { reason: `CHROMIUM_BIN=${given} is not a program` };
  const find = () => findOnPath("chromium-headless-shell", "chromium", "google-chrome");
  const found = find();
  if (found !== undefined) return { path: found };
  if (!canInstall())
    return { reason: "no Chromium on PATH, and Debian packages can't be installed by this user" };
  const said = await installPackage("chromium-headless-shell");
  const path = find();
  return path === undefined
    ? { reason: `no Chromium on PATH, and apt-get failed: ${lastLine(said)}` }
    : { path };
}

const lastLine = (text = "") => text.trim().split("\n").at(-1) ?? "";
