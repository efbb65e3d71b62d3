import { CommanderError, InvalidArgumentError } from "commander";
import { newCommand } from "../command-line.ts";
import { purge, stats } from "./desk.ts";
import type { CacheContext, DeskOptions, WarmOptions } from "./options.ts";
import { warm } from "./warm.ts";

const REDIS = `The cache is found as the edge finds it, by CACHE_REDIS_URL or REDIS_URL and REDIS_KEY_PREFIX;
without them, that of the "npm start" which runs in this folder.`;

/** @returns the exit code */
export async function parseCacheCommand(argv: readonly string[], context: CacheContext): Promise<number> {
  let exitCode = 0;
  const program = newCommand("npm run cache --").description(
    "The audio cache: what it holds, emptying, filling.",
  );
  program.exitOverride();
  program
    .command("stats")
    .description("how much speech is kept, by voice")
    .option("--json", "end with one JSON object")
    .addHelpText("after", `\n${REDIS}`)
    .action(async (options: DeskOptions) => {
      exitCode = await stats(options, context);
    });
  program
    .command("purge")
    .description("throw cached speech away; what is being spoken goes on")
    .option("-v, --voice <id>", "only that of one voice")
    .option("--json", "end with one JSON object")
    .addHelpText("after", `\n${REDIS}`)
    .action(async (options: DeskOptions) => {
      exitCode = await purge(options, context);
    });
  program
    .command("warm")
    .description("speak every phrase of a file once, so that it is cached")
    .argument(
      "<file>",
      `a phrase per line ("#" begins a comment), or a JSON object as POST /api/v1/synthesize takes it`,
    )
    .option("-u, --url <url>", "of the server", address, "http://localhost:8006")
    .option("-v, --voice <id>", "of phrases that name none; else the server's default")
    .option("-m, --model <id>", "of phrases that name none")
    .option("-l, --language <code>", "of phrases that name none, ISO 639-1")
    .option("-c, --concurrency <number>", "phrases spoken at once", concurrency, 4)
    .option("--json", "end with one JSON object")
    .option("-q, --quiet", "show no progress")
    .action(async (file: string, options: WarmOptions) => {
      exitCode = await warm(file, options, context);
    });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    throw error;
  }
}

function address(text: string): string {
  if (URL.canParse(text)) return text.replace(/\/+$/, "");
  throw new InvalidArgumentError("It must be an address such as http://localhost:8006.");
}

function concurrency(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 64) return value;
  throw new InvalidArgumentError("It must be a whole number from 1 to 64.");
}
