import { Command, InvalidArgumentError } from "commander";
import { FLOODS } from "../testkit/floods/flood-kinds.ts";
import { type Witnessed, witness } from "../testkit/floods/flood-witness.ts";
import type { FloodResult } from "../testkit/floods/flooder.ts";
import { runFlood } from "../testkit/floods/run-flood.ts";
import { type BenchSystem, startBenchSystem } from "./load/system.ts";

/**
 * One client at line rate, for each kind of message and each HTTP route, beside a listener in real time and a new
 * speaker every second: what the others notice, what becomes of the edge's memory and of the flooder. Edge, worker and
 * flooder are processes of their own.
 *
 * `npm run bench -- floods [--json] [--seconds 10] [--only "ping frames"]`
 */
const MAX_LATE_MS = 100;
const MAX_FIRST_AUDIO_RATIO = 2;
const MAX_MEMORY_RATIO = 1.1;
const SETTLE_MS = 1_000;

interface Row {
  readonly flood: string;
  readonly witnessed: Witnessed;
  readonly firstAudioMs: number;
  readonly memoryMb: { readonly before: number; readonly after: number };
  readonly flooder: FloodResult;
  /** What the edge counted: by budget and what became of the flooder. */
  readonly reached: Readonly<Record<string, number>>;
  readonly broken: readonly string[];
}

export async function run(args: readonly string[]): Promise<void> {
  const { seconds, only, json } = parseOptions(args);
  const names = Object.keys(FLOODS).filter((name) => only.length === 0 || only.includes(name));
  const system = await startBenchSystem({ simulator: {}, worker: {}, edge: {} });
  try {
    const url = system.edgeUrl;
    await witness({ url, seconds: 3 });
    const quiet = await witness({ url, seconds });
    const quietMs = median(quiet.firstAudioMs);
    process.stderr.write(`quiet: first audio ${quietMs} ms, late at most ${quiet.lateMs} ms\n`);
    const rows: Row[] = [];
    for (const name of names) {
      const row = await floodOnce(system, name, seconds, quietMs);
      rows.push(row);
      process.stderr.write(`${toLine(row)}\n`);
    }
    const broken = rows.filter((row) => row.broken.length > 0);
    process.stderr.write(`\n${toTable(rows)}\n\n`);
    process.stderr.write(`${rows.length - broken.length} of ${rows.length} floods held\n`);
    if (json) process.stdout.write(`${JSON.stringify({ bench: "floods", quiet, rows })}\n`);
    if (broken.length > 0) process.exitCode = 1;
  } finally {
    await system.close();
  }
}

async function floodOnce(
  { edgeUrl: url, edgeOpsUrls: [opsUrl = ""] }: BenchSystem,
  name: string,
  seconds: number,
  quietMs: number,
): Promise<Row> {
  const before = await readMetrics(opsUrl);
  const [witnessed, flooder] = await Promise.all([
    witness({ url, seconds }),
    new Promise((resolve) => setTimeout(resolve, SETTLE_MS)).then(() => runFlood(url, name, seconds - 1)),
  ]);
  const after = await readMetrics(opsUrl);
  const memoryMb = { before: before.memoryMb, after: after.memoryMb };
  const reached = Object.fromEntries(
    [...after.reached]
      .map(([key, count]) => [key, count - (before.reached.get(key) ?? 0)])
      .filter(([, count]) => count !== 0),
  ) as Record<string, number>;
  const firstAudioMs = median(witnessed.firstAudioMs);
  const broken = [
    ...(witnessed.lateMs > MAX_LATE_MS ? [`a frame was ${witnessed.lateMs} ms late`] : []),
    ...(firstAudioMs > MAX_FIRST_AUDIO_RATIO * quietMs
      ? [`first audio ${firstAudioMs} ms, ${quietMs} when quiet`]
      : []),
    ...(memoryMb.after > MAX_MEMORY_RATIO * memoryMb.before
      ? [`memory ${memoryMb.before} to ${memoryMb.after} MB`]
      : []),
    ...witnessed.refused.map((why) => `a new speaker was refused: ${why}`),
  ];
  return { flood: name, witnessed, firstAudioMs, memoryMb, flooder, reached, broken };
}

async function readMetrics(url: string) {
  const text = await (await fetch(`${url}/metrics`)).text();
  const memoryBytes = Number(/^process_resident_memory_bytes (\S+)/m.exec(text)?.[1]);
  const reached = new Map<string, number>();
  for (const [, budget, action, count] of text.matchAll(
    /^tts_edge_budget_reached_total\{budget="(.*?)",action="(.*?)"\} (\d+)/gm,
  )) {
    reached.set(`${budget} ${action}`, Number(count));
  }
  return { memoryMb: Math.round(memoryBytes / 1_048_576), reached };
}

function toLine({ flood, witnessed, firstAudioMs, memoryMb, flooder, reached, broken }: Row): string {
  const ended =
    flooder.endedAfterMs === undefined
      ? "never ended"
      : `ended after ${flooder.endedAfterMs} ms${flooder.closeCode === undefined ? "" : ` with ${flooder.closeCode}`}`;
  return [
    flood.padEnd(22),
    `late ${witnessed.lateMs} ms`,
    `first audio ${firstAudioMs} ms`,
    `probe ${witnessed.probeMs} ms`,
    `memory ${memoryMb.before} to ${memoryMb.after} MB`,
    `flooder sent ${Math.round(flooder.sentBytes / 1e6)} MB over ${flooder.connections}, ${ended}`,
    JSON.stringify(reached),
    broken.length === 0 ? "held" : `BROKEN: ${broken.join("; ")}`,
  ].join(" | ");
}

/** All of them in Markdown, for docs/budgets.md. */
function toTable(rows: readonly Row[]): string {
  return [
    "| flood | latest frame | first audio | memory | what became of the flooder | |",
    "|---|---|---|---|---|---|",
    ...rows.map(({ flood, witnessed, firstAudioMs, memoryMb, flooder, reached, broken }) => {
      const names = Object.keys(reached).filter((name) => !name.endsWith("refused"));
      const fate = [
        ...names,
        ...(flooder.closeCode === undefined ? [] : [`closed with ${flooder.closeCode}`]),
      ];
      const cells = [
        flood,
        `${witnessed.lateMs} ms`,
        `${firstAudioMs} ms`,
        `${memoryMb.before} to ${memoryMb.after} MB`,
        fate.join(", ") || "no bound met",
        broken.length === 0 ? "held" : "broken",
      ];
      return `| ${cells.join(" | ")} |`;
    }),
  ].join("\n");
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.floor(sorted.length / 2)] ?? Number.POSITIVE_INFINITY);
}

function parseOptions(args: readonly string[]) {
  const positive = (text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 2 && value <= 120) return value;
    throw new InvalidArgumentError("must be a whole number from 2 to 120");
  };
  const command = new Command("bench floods")
    .description("One client at line rate beside a listener in real time and new speakers.")
    .option("--seconds <seconds>", "of each flood", positive, 10)
    .option("--only <names...>", `of: ${Object.keys(FLOODS).join(", ")}`, [])
    .option("--json", "end in one JSON object on standard output", false);
  command.parse([...args], { from: "user" });
  return command.opts<{ seconds: number; only: string[]; json: boolean }>();
}
