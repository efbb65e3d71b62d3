import { join } from "node:path";
import { fileHash, npm, stamp } from "./npm.mjs";
import { SetupError, step } from "./processes.mjs";

/**
 * `npm ci` unless `node_modules` is what it left. npm rewrites `node_modules/.package-lock.json` on every
 * install, so an install by hand is noticed: under another Node it would swap uWebSockets.js' binary.
 * No install script is run; none of our packages needs one.
 */
export async function ensurePackages(root, node) {
  const stampFile = join(root, "node_modules", ".tts-labs-stamp");
  const wanted = () =>
    [
      fileHash(join(root, "package-lock.json")),
      fileHash(join(root, "node_modules", ".package-lock.json")),
      `${process.platform}-${process.arch}`,
      "node22",
    ].join(" ");
  if (stamp.is(stampFile, wanted())) return;

  await step("Installing packages", async () => {
    stamp.remove(stampFile);
    const flags = ["--ignore-scripts", "--include=dev", "--no-audit", "--no-fund"];
    let result = await npm(node, ["ci", ...flags], root);
    // npm refuses a lock in which an optional package of another platform has no entry; install does not.
    if (result.code !== 0) result = await npm(node, ["install", "--no-save", ...flags], root);
    if (result.code !== 0) throw new SetupError(`npm could not install the packages:\n${result.output}`);
    stamp.write(stampFile, wanted());
  });
}
