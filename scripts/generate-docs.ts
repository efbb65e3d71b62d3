import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Environment } from "@tts-labs/core/process/environment";
import { PROFILES } from "@tts-labs/core/process/profiles";
import { edgeEnvironment } from "@tts-labs/edge/config";
import { edgeMetrics } from "@tts-labs/edge/metrics";
import { simulatorEnvironment } from "@tts-labs/simulator/config";
import { workerEnvironment } from "@tts-labs/worker/config";
import { workerMetrics } from "@tts-labs/worker/metrics";
import { stringify } from "yaml";
import { asyncApiDocument } from "./docs/asyncapi.ts";
import {
  commonConfigurationTable,
  configurationTables,
  profilesTable,
  replaceBetweenMarkers,
} from "./docs/configuration-table.ts";
import { errorsPage } from "./docs/errors-page.ts";
import { metricsPage } from "./docs/metrics-page.ts";
import { openApiDocument } from "./docs/openapi.ts";
import { providerErrorsPage } from "./docs/provider-errors-page.ts";
import { wireTypes } from "./docs/wire-types.ts";
import { root } from "./tools.ts";

/**
 * `node scripts/generate-docs.ts`: writes the documents that follow from the code. With `--check` it writes
 * nothing and fails where a file in the repository says something else than the code.
 */
export interface GeneratedDocument {
  /** Relative to the project's folder. */
  readonly path: string;
  readonly content: string;
}

/** Those that README shows. */
const COMMON_VARIABLES = [
  "ELEVENLABS_API_KEY",
  "TTS_VOICE",
  "TTS_MODEL",
  "TTS_LANGUAGE",
  "REDIS_URL",
  "HOST",
  "PORT",
  "OPS_HOST",
  "ACCESS",
  "ALLOWED_HOSTS",
  "ALLOWED_ORIGINS",
  "WORKER_CONCURRENCY",
  "PROVIDER_SLOTS",
  "LOG_LEVEL",
];

export async function generateDocuments(): Promise<readonly GeneratedDocument[]> {
  const programs = { edge: edgeEnvironment, worker: workerEnvironment, simulator: simulatorEnvironment };
  const common = commonConfigurationTable(programs, COMMON_VARIABLES);
  const readme = await readFile(join(root, "README.md"), "utf8");
  const configuration = await readFile(join(root, "docs/configuration.md"), "utf8");
  return [
    { path: "packages/protocol/src/wire-types.ts", content: wireTypes() },
    { path: "docs/asyncapi.yaml", content: yaml(asyncApiDocument()) },
    { path: "docs/openapi.yaml", content: yaml(openApiDocument()) },
    { path: "docs/errors.md", content: errorsPage() },
    { path: "docs/provider-errors.md", content: providerErrorsPage() },
    { path: "docs/metrics.md", content: metricsPage({ edge: edgeMetrics, worker: workerMetrics }) },
    {
      path: "docs/configuration.md",
      content: replaceBetweenMarkers(
        replaceBetweenMarkers(configuration, "profiles", profilesTable(PROFILES)),
        "configuration",
        configurationTables(programs),
      ),
    },
    { path: "packages/core/src/process/variable-names.ts", content: variableNames(Object.values(programs)) },
    { path: "README.md", content: replaceBetweenMarkers(readme, "configuration", common) },
  ];
}

/** Every program knows all names, so that it can tell a misspelt variable from another program's. */
function variableNames(programs: readonly Environment[]): string {
  const names = new Set(programs.flatMap((variables) => Object.values(variables).map(({ name }) => name)));
  const lines = [...names].sort().map((name) => `  "${name}",\n`);
  return `/** Every variable of every program. Written by scripts/generate-docs.ts. */
export const VARIABLE_NAMES: readonly string[] = [
${lines.join("")}];
`;
}

/** Paths of the documents whose file in the repository is not what the code generates. */
export async function staleDocuments(): Promise<readonly string[]> {
  const stale: string[] = [];
  for (const { path, content } of await generateDocuments()) {
    const found = await readFile(join(root, path), "utf8").catch(() => undefined);
    if (found !== content) stale.push(path);
  }
  return stale;
}

const yaml = (document: object): string =>
  `# Written by scripts/generate-docs.ts from the schemas in the code.\n${stringify(document, { lineWidth: 110, blockQuote: "literal" })}`;

if (process.argv[1] === import.meta.filename) {
  const stale = await staleDocuments();
  if (process.argv.includes("--check")) {
    for (const path of stale)
      console.error(`${path} is not what the code says: node scripts/generate-docs.ts`);
    process.exitCode = stale.length === 0 ? 0 : 1;
  } else {
    for (const { path, content } of await generateDocuments()) await writeFile(join(root, path), content);
    console.log(stale.length === 0 ? "All documents were current." : `Written: ${stale.join(", ")}.`);
  }
}
