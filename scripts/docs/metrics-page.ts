import type { MetricTable } from "@tts-labs/core/process/metrics";
import { ERROR_CODES } from "@tts-labs/protocol/errors";
import { markdownTable } from "./json-schema.ts";

/** More values than these are not listed one by one. */
const MAX_LISTED = 8;

/** docs/metrics.md: every metric of each program, with every value that its labels may take. */
export const metricsPage = (programs: Readonly<Record<string, MetricTable>>): string =>
  `${[
    "# Metrics",
    ABOUT,
    ...Object.entries(programs).map(
      ([program, table]) => `## The ${program}'s (${Object.keys(table).length})\n\n${tableOf(table)}`,
    ),
  ].join("\n\n")}\n`;

const ABOUT = `Written by scripts/generate-docs.ts from the tables in the programs' \`metrics.ts\`. Each program answers \`/metrics\`: the
edge on its operators' port, worker and simulator on theirs. Besides what stands here they show \`tts_build_info\` (labels:
program, version, commit) and Node's own metrics (\`process_…\`, \`nodejs_…\`), event-loop lag among them.

The values of every label are a closed set, so that no client and no answer of the provider can make a program's metrics
grow; \`test/integration/metrics/closed-labels.test.ts\` holds the metrics of a busy fleet against these tables.`;

const tableOf = (table: MetricTable): string =>
  markdownTable(
    ["metric", "kind", "labels", "what it says"],
    Object.values(table).map(({ name, type, labels, help }) => [
      `\`${name}\``,
      type,
      Object.entries(labels)
        .map(([label, values]) => `\`${label}\`: ${valuesOf(values)}`)
        .join("; "),
      help,
    ]),
  );

function valuesOf(values: readonly string[]): string {
  const codes = new Set<string>(ERROR_CODES);
  const others = values.filter((it) => !codes.has(it));
  if (values.length === others.length && others.length > MAX_LISTED) {
    return `${others[0]} … ${others.at(-1)} (${others.length})`;
  }
  const ofErrors = values.length - others.length;
  const errors = ofErrors === codes.size ? "an error code" : `an error code (${ofErrors} of them)`;
  return [...others, ...(ofErrors > 0 ? [errors] : [])].join(", ");
}
