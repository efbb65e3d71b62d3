import type { Live } from "./read-live.ts";

/** What is live, for people: one line for the queue, a table of sessions and one of utterances. */
export function liveTable({ sessions, utterances, queue }: Live): string {
  return [
    `Queue: ${queue.waiting} waiting, ${queue.active} being spoken`,
    "",
    ...section(
      "Sessions",
      sessions.total,
      ["session", "tenant", "dialect", "state", "connection", "age", "edge"],
      sessions.items.map((it) => [
        it.session_id,
        it.tenant ?? "-",
        it.dialect,
        it.state,
        String(it.connection_epoch),
        toAge(it.age_ms),
        it.edge,
      ]),
    ),
    "",
    ...section(
      "Utterances",
      utterances.total,
      ["utterance", "session", "state", "age", "frames", "voice", "edge", "worker"],
      utterances.items.map((it) => [
        it.utterance_id,
        it.session_id,
        it.state,
        toAge(it.age_ms),
        it.queued_frames === null ? "-" : String(it.queued_frames),
        it.voice,
        it.edge,
        it.worker ?? "-",
      ]),
    ),
  ].join("\n");
}

function section(
  name: string,
  total: number,
  header: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  const shown = rows.length < total ? ` (the first ${rows.length} are shown)` : "";
  if (rows.length === 0) return [`${name}: ${total}`];
  // An id comes from a client: what is not printable would reach the terminal.
  const lines = [header, ...rows].map((row) => row.map((cell) => cell.replace(/[^\P{C}]/gu, "\u{fffd}")));
  const widths = header.map((_, column) => Math.max(...lines.map((row) => row[column]?.length ?? 0)));
  const toLine = (row: readonly string[]) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd();
  return [`${name}: ${total}${shown}`, ...lines.map(toLine)];
}

/** Milliseconds in the largest unit that says enough. */
export function toAge(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}
