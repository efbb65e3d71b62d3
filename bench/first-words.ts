import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { FIRST_SENTENCES, type FirstSentence, firstClauseToken, toTokens } from "./load/first-sentences.ts";
import { type BenchSystem, startBenchSystem } from "./load/system.ts";
import { TokenSpeaker } from "./load/token-speaker.ts";
import { summarize } from "./measure/summary.ts";

/**
 * First audio of text that comes token by token, as a language model gives it: one every 60 ms, a word or, in Chinese
 * and Japanese, a character; after the first sentence nothing for eight seconds, as before a tool call. Once with the
 * defaults and once with `natural`, which keeps whole first sentences.
 *
 * What counts is the time from the last character of the first clause (its mark, or that of the sentence) to the first
 * audio in hand; it is negative where the audio comes before. The simulator answers after its usual time.
 *
 * `npm run bench -- first-words [--turns 3] [--json]`
 */
const TOKEN_EVERY_MS = 60;
const PAUSE_MS = 8_000;
const LIMIT_MS = 450;

interface Row {
  readonly language: string;
  readonly characters: number;
  readonly natural: boolean;
  /** Medians of all turns: after the first token, after the first clause's last character. */
  readonly afterFirstTokenMs: number;
  readonly afterClauseMs: number;
  /** The slowest turn. */
  readonly worstAfterClauseMs: number;
}

export async function run(args: readonly string[]): Promise<void> {
  const { turns, json } = parseOptions(args);
  process.stderr.write("Starting Redis, simulator, worker and edge …\n");
  const system = await startBenchSystem({ simulator: {}, worker: {}, edge: {} });
  try {
    await speak(system, { language: "en", text: "Warm up, please." }, false);
    const rows: Row[] = [];
    for (const natural of [false, true]) {
      for (const sentence of FIRST_SENTENCES) rows.push(await measure(system, sentence, natural, turns));
    }
    process.stderr.write(toTable(rows));
    if (json) process.stdout.write(`${JSON.stringify({ bench: "first-words", rows })}\n`);
    if (rows.some((row) => !row.natural && row.afterClauseMs > LIMIT_MS)) process.exitCode = 1;
  } finally {
    await system.close();
  }
}

async function measure(
  system: BenchSystem,
  sentence: FirstSentence,
  natural: boolean,
  turns: number,
): Promise<Row> {
  const heard = [];
  for (let turn = 0; turn < turns; turn++) heard.push(await speak(system, sentence, natural));
  const clauses = summarize(heard.map(({ afterClauseMs }) => afterClauseMs));
  const tokens = summarize(heard.map(({ afterFirstTokenMs }) => afterFirstTokenMs));
  return {
    language: sentence.language,
    characters: sentence.text.length,
    natural,
    afterFirstTokenMs: Math.round(tokens.p50),
    afterClauseMs: Math.round(clauses.p50),
    worstAfterClauseMs: Math.round(clauses.max),
  };
}

/** Sends tokens until audio comes, each at its time; then takes the utterance back. */
async function speak({ edgeUrl }: BenchSystem, sentence: FirstSentence, natural: boolean) {
  const tokens = toTokens(sentence);
  const speaker = await TokenSpeaker.open(edgeUrl, { language: sentence.language, natural });
  try {
    const beganAtMs = performance.now();
    let clauseAtMs = Number.NaN;
    const clause = firstClauseToken(tokens, sentence.language);
    for (const [i, token] of tokens.entries()) {
      await sleep(Math.max(0, beganAtMs + i * TOKEN_EVERY_MS - performance.now()));
      if (i === clause) clauseAtMs = performance.now();
      speaker.send(token);
      if (speaker.hasAudio && i >= clause) break;
    }
    const firstAudioAtMs = await speaker.firstAudio(PAUSE_MS);
    return { afterFirstTokenMs: firstAudioAtMs - beganAtMs, afterClauseMs: firstAudioAtMs - clauseAtMs };
  } finally {
    speaker.close();
  }
}

function toTable(rows: readonly Row[]): string {
  const lines = rows.map(
    (row) =>
      `| ${row.language} | ${row.characters} | ${row.natural ? "natural" : "default"} | ${row.afterFirstTokenMs} | ` +
      `${row.afterClauseMs} | ${row.worstAfterClauseMs} |`,
  );
  return [
    "| language | first sentence | setting | after its first token, ms | after its first clause, ms | slowest turn |",
    "|---|---|---|---|---|---|",
    ...lines,
    "",
  ].join("\n");
}

function parseOptions(args: readonly string[]): { readonly turns: number; readonly json: boolean } {
  const command = new Command("bench first-words")
    .description("First audio of text that comes token by token, after its first clause.")
    .option("--turns <turns>", "how often each sentence is spoken", Number, 3)
    .option("--json", "end in one JSON object on standard output", false);
  command.parse([...args], { from: "user" });
  return command.opts<{ turns: number; json: boolean }>();
}
