import { spawn } from "node:child_process";
import { isAbsolute, join } from "node:path";

/** The project's folder. */
export const root = join(import.meta.dirname, "..");

const SIGNALS: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Runs a development tool (by the name of its program in node_modules, since `npx` would add seconds; or by an
 * absolute path) in the project's folder, with our own output. SIGINT, SIGTERM and SIGHUP are passed on.
 * @returns its exit code; 1 when a signal or the limit ended it
 */
export async function runTool(
  name: string,
  args: readonly string[],
  { limitMs = 600_000 }: { readonly limitMs?: number } = {},
): Promise<number> {
  const program = isAbsolute(name) ? name : join(root, "node_modules", ".bin", name);
  const child = spawn(program, args, { cwd: root, stdio: "inherit" });
  const pass = (signal: NodeJS.Signals) => child.kill(signal);
  for (const signal of SIGNALS) process.on(signal, pass);
  const limit = setTimeout(() => {
    console.error(`${name} did not end within ${limitMs / 1_000} s and is ended`);
    child.kill("SIGKILL");
  }, limitMs);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => resolve(code ?? 1));
    });
  } finally {
    clearTimeout(limit);
    for (const signal of SIGNALS) process.off(signal, pass);
  }
}
