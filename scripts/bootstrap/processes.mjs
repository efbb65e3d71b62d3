import { spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Set-up steps that run now; they are ended with us. */
const running = new Set();

export class SetupError extends Error {}

/** The first of `names` that is an executable file on PATH, as an absolute path. */
export function findOnPath(...names) {
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  for (const name of names) {
    for (const folder of folders) {
      const path = join(folder, name);
      if (isExecutable(path)) return path;
    }
  }
  return undefined;
}

export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Runs a command to its end without input.
 * @returns its exit code (-1: it could not be started, or was ended by `limitMs`) and the end of its output
 */
export function run(command, args, { cwd, env = process.env, limitMs = 300_000 } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    running.add(child);
    let output = "";
    const keep = (chunk) => {
      output = (output + chunk).slice(-8_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const limit = setTimeout(() => {
      output += `\n(ended after ${limitMs / 1000} s)`;
      child.kill("SIGKILL");
    }, limitMs);
    const settle = (code) => {
      clearTimeout(limit);
      running.delete(child);
      resolve({ code, output: output.trim() });
    };
    child.once("error", (error) => {
      output += error.message;
      settle(-1);
    });
    child.once("close", (code) => settle(code ?? -1));
  });
}

export function endRunning(signal) {
  for (const child of running) child.kill(signal);
}

/** Says on stderr what takes time, and how long it took; stdout belongs to the command. */
export async function step(title, action) {
  const beganAt = Date.now();
  process.stderr.write(`${title} … `);
  try {
    const result = await action();
    process.stderr.write(`${((Date.now() - beganAt) / 1000).toFixed(1)} s\n`);
    return result;
  } catch (error) {
    process.stderr.write("failed\n");
    throw error;
  }
}
