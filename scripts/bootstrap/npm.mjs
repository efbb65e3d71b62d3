import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { run } from "./processes.mjs";

/**
 * Runs npm under the given Node, as called by a person in `cwd`: `npm run` hands its own settings down by
 * environment, which would tell the nested npm about the wrong project. How to reach the registry stays.
 */
export function npm(node, args, cwd) {
  const environment = { ...withNode(node, process.env) };
  for (const name of Object.keys(environment)) {
    if (/^npm_(package|lifecycle|config)_/i.test(name) && !REACH.test(name)) delete environment[name];
  }
  // `production` would leave the development packages out.
  delete environment.NODE_ENV;
  const caller = process.env.npm_execpath;
  delete environment.npm_execpath;
  return caller !== undefined && basename(caller) === "npm-cli.js" && existsSync(caller)
    ? run(node, [caller, ...args], { cwd, env: environment })
    : run("npm", args, { cwd, env: environment });
}

const REACH =
  /^npm_config_(registry|cache|userconfig|globalconfig|offline|prefer_offline|cafile|ca|cert|key|strict_ssl|proxy|https_proxy|noproxy|fetch_.*|\/\/.*|@.*)$/i;

/** `env` with this Node first on PATH. */
export function withNode(node, env) {
  return { ...env, PATH: `${dirname(node)}:${env.PATH ?? ""}` };
}

export function fileHash(path) {
  if (!existsSync(path)) return "absent";
  return createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 16);
}

/** What a folder was installed from. Removed before an install, written after: a broken one never counts. */
export const stamp = {
  is: (path, text) => existsSync(path) && readFileSync(path, "utf8") === text,
  remove: (path) => rmSync(path, { force: true }),
  write: (path, text) => writeFileSync(path, text),
};
