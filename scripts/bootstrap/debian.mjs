import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findOnPath, isExecutable, run, step } from "./processes.mjs";

const POLICY = "/usr/sbin/policy-rc.d";

/** Whether Debian packages can be installed: root on a system with apt. */
export function canInstall() {
  return process.getuid?.() === 0 && findOnPath("apt-get") !== undefined;
}

/**
 * Installs one Debian package without its services: a Redis started by the package would take port 6379.
 * @returns undefined when it is installed, else what apt said
 */
export async function installPackage(name) {
  return step(`Installing ${name} (Debian)`, async () => {
    const ownPolicy = !existsSync(POLICY);
    if (ownPolicy) {
      writeFileSync(POLICY, "#!/bin/sh\nexit 101\n");
      chmodSync(POLICY, 0o755);
    }
    try {
      const first = await install(name);
      if (first.code === 0) return undefined;
      await run("apt-get", [...WAIT, "update"], { env: environment() });
      const second = await install(name);
      return second.code === 0 ? undefined : second.output;
    } finally {
      if (ownPolicy) rmSync(POLICY, { force: true });
    }
  });
}

/** redis-server and what it needs beyond the C library. */
const REDIS_PACKAGES = ["redis-server", "redis-tools", "libatomic1", "libjemalloc2", "liblzf1"];

/**
 * For those who are not root: unpacks Debian's Redis into a folder of ours (8 MB) without installing it.
 * @returns the path of a script that runs it, or undefined where this can't be done
 */
export async function unpackRedis(folder) {
  const script = join(folder, "redis-server");
  if (isExecutable(script)) return script;
  if (findOnPath("apt-get") === undefined || findOnPath("dpkg") === undefined) return undefined;
  return step("Unpacking redis-server (Debian)", async () => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const download = await run("apt-get", ["download", ...REDIS_PACKAGES], { cwd: folder });
    if (download.code !== 0) return undefined;
    for (const file of readdirSync(folder).filter((it) => it.endsWith(".deb"))) {
      await run("dpkg", ["-x", file, "."], { cwd: folder });
      rmSync(join(folder, file));
    }
    const libraries = readdirSync(join(folder, "usr", "lib")).map((it) => join(folder, "usr", "lib", it));
    const server = join(folder, "usr", "bin", "redis-server");
    writeFileSync(
      `${script}.new`,
      `#!/bin/sh\nLD_LIBRARY_PATH='${libraries.join(":")}' exec '${server}' "$@"\n`,
    );
    chmodSync(`${script}.new`, 0o755);
    const answer = await run(`${script}.new`, ["--version"]);
    if (answer.code !== 0) return undefined;
    // Under its own name only now, so that a broken one never counts.
    renameSync(`${script}.new`, script);
    return script;
  });
}

/** Another apt may hold the lock for a while. */
const WAIT = ["-o", "DPkg::Lock::Timeout=120"];

const environment = () => ({ ...process.env, DEBIAN_FRONTEND: "noninteractive" });

const install = (name) =>
  run("apt-get", [...WAIT, "install", "-y", "--no-install-recommends", name], { env: environment() });
