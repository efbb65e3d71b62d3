import { setTimeout as sleep } from "node:timers/promises";
import { InvalidArgumentError } from "commander";
import { newCommand } from "./command-line.ts";
import { readLive } from "./live/read-live.ts";
import { liveTable } from "./live/table.ts";
import { instances } from "./say/running-instance.ts";

/** `npm run live`: sessions and utterances of all nodes, as an edge's operators' port tells them. */
const USUAL_OPS_URL = "http://localhost:8005";
const EVERY_MS = 1_000;
const CLEAR_SCREEN = "\u001b[2J\u001b[H";
const MAX_RECORDS = 500;

interface Options {
  readonly url: string;
  readonly limit: number;
  readonly watch?: boolean;
  readonly json?: boolean;
}

const records = (text: string): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= MAX_RECORDS) return value;
  throw new InvalidArgumentError(`must be a whole number from 1 to ${MAX_RECORDS}`);
};

const options = newCommand("npm run live --")
  .description("Shows what is live on all nodes: sessions, utterances with their workers, and the queue.")
  .option("--url <url>", "an edge's operators' port; default: that of the running npm start", opsUrl())
  .option("--limit <records>", "sessions and utterances that are shown", records, 50)
  .option("--watch", "shows it anew every second, until Ctrl-C")
  .option("--json", "prints one JSON object per look, as the port answers it")
  .addHelpText("after", "\nA port that asks for a key takes that of an operator from TTS_OPERATOR_KEY.")
  .parse()
  .opts<Options>();

try {
  do {
    const live = await readLive({ url: options.url, limit: options.limit, ...operatorKey() });
    const shown = options.json ? JSON.stringify(live) : liveTable(live);
    const clear = options.watch && !options.json && process.stdout.isTTY ? CLEAR_SCREEN : "";
    process.stdout.write(`${clear}${shown}\n`);
    if (options.watch) await sleep(EVERY_MS);
  } while (options.watch);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

function opsUrl(): string {
  return instances().find((it) => it.opsUrl !== undefined)?.opsUrl ?? USUAL_OPS_URL;
}

function operatorKey(): { readonly key?: string } {
  const key = process.env["TTS_OPERATOR_KEY"];
  return key === undefined || key === "" ? {} : { key };
}
