import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { FloodResult } from "./flooder.ts";

const FLOODER = new URL("flooder.ts", import.meta.url).pathname;

/** Floods in a process of its own, which is ended with the signal. @throws Error when it failed */
export async function runFlood(
  url: string,
  name: string,
  seconds: number,
  signal?: AbortSignal,
): Promise<FloodResult> {
  const args = ["--disable-warning=ExperimentalWarning", FLOODER, new URL(url).port, name, String(seconds)];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
    ...(signal === undefined ? {} : { signal }),
  });
  const [said] = await Promise.all([text(child.stdout), once(child, "close")]);
  if (child.exitCode !== 0) throw new Error(`the flooder ended with ${child.exitCode}`);
  return JSON.parse(said) as FloodResult;
}
