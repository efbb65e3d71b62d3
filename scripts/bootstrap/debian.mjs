import { chmodSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { findOnPath, run, step } from "./processes.mjs";

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

/** Another apt may hold the lock for a while. */
const WAIT = ["-o", "DPkg::Lock::Timeout=120"];

const environment = () => ({ ...process.env, DEBIAN_FRONTEND: "noninteractive" });

const install = (name) =>
  run("apt-get", [...WAIT, "install", "-y", "--no-install-recommends", name], { env: environment() });
