import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { ProgramMessage } from "@tts-labs/core/process/program";
import { spawnWithParent } from "../private-redis.ts";

/** One program of the system, run as a child. */
export interface PartOptions {
  readonly name: string;
  /** Its entry file. */
  readonly file: string;
  readonly env: NodeJS.ProcessEnv;
  /** More flags for Node, such as `--inspect=127.0.0.1:9229`. */
  readonly nodeFlags?: readonly string[];
  /** What it says, line by line: JSON on standard output, anything on standard error. */
  readonly onLine: (line: string) => void;
}

/**
 * V8 lets the space for young objects grow to 32 MB, and glibc gives each thread an arena of its own: together 62 MB of
 * edge and worker at rest, 125 MB under load (docs/bench.md, "memory"), for which nothing is faster.
 */
const NODE_FLAGS = ["--disable-warning=ExperimentalWarning", "--max-semi-space-size=2"];
const SMALL_HEAP: NodeJS.ProcessEnv = {
  MALLOC_ARENA_MAX: "1",
  // By itself glibc raises both to twice the largest block that was ever freed, and gives less and less back.
  MALLOC_MMAP_THRESHOLD_: "65536",
  MALLOC_TRIM_THRESHOLD_: "131072",
};

const READY_WITHIN_MS = 30_000;
const READY_POLL_MS = 50;

export class Part {
  readonly name: string;
  /** How it ended, in words: "exit code 1". */
  readonly exited: Promise<string>;
  readonly #child;
  /** The address it listens at, as it has told over its own channel; what else answers at an address proves nothing. */
  #url: string | undefined;
  /** Why it can't start, as it has told. */
  #reason: string | undefined;
  #ended: string | undefined;

  constructor(options: PartOptions) {
    this.name = options.name;
    // The kernel kills it if we are killed; no process would be left to wait for a slower end.
    this.#child = spawnWithParent(
      process.execPath,
      [...NODE_FLAGS, ...(options.nodeFlags ?? []), options.file],
      {
        env: { ...SMALL_HEAP, ...options.env },
        signal: "SIGKILL",
        channel: true,
      },
    );
    this.#child.on("message", (message: ProgramMessage) => {
      if (message.kind === "listening") this.#url ??= message.url;
      else this.#reason ??= message.reason;
    });
    const { stdout, stderr } = this.#child;
    for (const stream of [stdout, stderr]) if (stream) createInterface(stream).on("line", options.onLine);
    this.exited = new Promise((resolve) => {
      const end = (how: string) => {
        this.#ended ??= how;
        resolve(how);
      };
      this.#child.once("error", (error) => end(error.message));
      this.#child.once("close", (code, signal) => end(signal ?? `exit code ${code}`));
    });
  }

  /** 0 where it could not be spawned. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /**
   * Resolves when it listens and its /readyz answers 200. @throws Error when it ends before, or is not ready within 30
   * s
   */
  async ready(signal: AbortSignal): Promise<void> {
    const deadlineMs = performance.now() + READY_WITHIN_MS;
    while (!(await this.#isReady())) {
      signal.throwIfAborted();
      if (this.#ended !== undefined) {
        throw new Error(this.#reason ?? `The ${this.name} could not start (${this.#ended}).`);
      }
      if (performance.now() > deadlineMs) {
        throw new Error(`The ${this.name} was not ready within ${READY_WITHIN_MS / 1_000} s.`);
      }
      await sleep(READY_POLL_MS);
    }
  }

  async #isReady(): Promise<boolean> {
    return this.#ended === undefined && this.#url !== undefined && (await answers(`${this.#url}/readyz`));
  }

  /** Asks it to end, and kills it when it has not after `limitMs`. May be called twice. */
  async stop(limitMs: number): Promise<void> {
    if (this.#ended !== undefined) return;
    this.#child.kill("SIGTERM");
    // One that was frozen would not hear of it.
    this.#child.kill("SIGCONT");
    const limit = setTimeout(() => this.kill(), limitMs);
    await this.exited;
    clearTimeout(limit);
  }

  kill(): void {
    this.signal("SIGKILL");
  }

  signal(signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): void {
    if (this.#ended === undefined) this.#child.kill(signal);
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
