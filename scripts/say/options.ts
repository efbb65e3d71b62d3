import { extname } from "node:path";
import { parseServerAddress } from "@tts-labs/client/server-address";
import { SpeechError } from "@tts-labs/client/speech-error";
import { InvalidArgumentError } from "commander";
import { newCommand } from "../command-line.ts";
import { formatOf } from "./output-file.ts";
import { findInstance } from "./running-instance.ts";

export interface SayOptions {
  /** "-" means standard input. */
  readonly text: string;
  readonly url: string;
  readonly voice?: string;
  readonly model?: string;
  readonly language?: string;
  readonly seed?: number;
  readonly sentenceCache?: boolean;
  readonly speed?: number;
  /** "-" means standard output. */
  readonly out: string;
  readonly raw?: boolean;
  /** Words heard instead of those written. */
  readonly play?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly voices?: boolean;
}

/** Ends the process after `--help` (0) and after a call that can't be understood (2). */
export function parseSayOptions(argv: readonly string[]): SayOptions {
  const command = newCommand("npm run say --")
    .description("Speaks a text and writes it as a WAV file.")
    .argument("[text...]", `what to say; "-" reads it from standard input and speaks it as it comes`)
    .option("-v, --voice <voice>", "its id or name; else the server's default")
    .option("-m, --model <id>", "the provider's model")
    .option("-l, --language <code>", "ISO 639-1, such as de")
    .option("-u, --url <url>", "of the server; else the newest one started here", address)
    .option("--seed <number>", "the same seed and text sound the same", number(0, 4_294_967_295, true))
    .option("--speed <factor>", "0.7 to 1.2", number(0.7, 1.2, false))
    .option(
      "-o, --out <file>",
      `file to write (.wav, .pcm, .raw); "-" is standard output`,
      file,
      "speech.wav",
    )
    .option("-p, --play", "play it, by a program that is found on PATH, instead of writing a file")
    .option("--sentence-cache", "sentences that were said before come from the server's cache")
    .option("--raw", "bare 16-bit PCM, without a WAV header")
    .option("--json", "end with one JSON object on the last line")
    .option("-q, --quiet", "say nothing but errors")
    .option("--voices", "list the server's voices, and end")
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
  command.parse(argv, { from: "user" });
  const given = command.opts<Omit<SayOptions, "text" | "url"> & { readonly url?: string }>();
  const raw = given.raw === true || formatOf(given.out) === "raw";
  const options = { ...given, raw, url: given.url ?? findInstance() };
  if (given.play === true && command.getOptionValueSource("out") !== "default") {
    command.error("Either --play or --out: speech is played or written.");
  }
  if (command.args.length === 0 && options.voices !== true) {
    command.error(`What shall be said? Give a text in quotes, or "-" to read it from standard input.`);
  }
  return { ...options, text: command.args.join(" ") };
}

function file(text: string): string {
  if (text === "-" || formatOf(text) !== undefined) return text;
  throw new InvalidArgumentError(
    `${extname(text)} can't be written: speech is written as .wav, or as bare samples to .pcm or .raw.`,
  );
}

function address(text: string): string {
  try {
    parseServerAddress(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError(error instanceof SpeechError ? error.message : String(error));
  }
}

const number = (least: number, most: number, whole: boolean) => (text: string) => {
  const value = Number(text);
  const fits = text.trim() !== "" && value >= least && value <= most && (!whole || Number.isInteger(value));
  if (fits) return value;
  throw new InvalidArgumentError(`It must be a ${whole ? "whole " : ""}number from ${least} to ${most}.`);
};
