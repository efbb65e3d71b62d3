/**
 * The Grafana dashboard, as typed code: `node deploy/grafana/dashboard.ts` writes `dashboards/tts.json`, and a test
 * holds the file against it.
 */
import { writeFileSync } from "node:fs";

interface Panel {
  readonly title: string;
  readonly unit: "s" | "short" | "Bps" | "percentunit" | "bool";
  /** PromQL by the legend of its series. */
  readonly queries: Readonly<Record<string, string>>;
}

const p95 = (metric: string, by = "le", where = "") =>
  `histogram_quantile(0.95, sum by (${by}) (rate(${metric}_bucket{${where}}[$__rate_interval])))`;
const rate = (metric: string, by: string) => `sum by (${by}) (rate(${metric}[$__rate_interval]))`;

export const PANELS: readonly Panel[] = [
  { title: "Connections by edge", unit: "short", queries: { "{{instance}}": "tts_edge_connections" } },
  { title: "Unfinished utterances", unit: "short", queries: { "{{instance}}": "tts_edge_utterances" } },
  { title: "Queue", unit: "short", queries: { "{{state}}": "max by (state) (tts_queue_jobs)" } },
  {
    title: "First audio, p95, by source",
    unit: "s",
    queries: { "{{source}}": p95("tts_edge_first_audio_seconds", "le, source", `part="total"`) },
  },
  {
    title: "First audio of synthesized speech, p95, by part",
    unit: "s",
    queries: { "{{part}}": p95("tts_edge_first_audio_seconds", "le, part", `source="synthesized"`) },
  },
  {
    title: "Wait behind earlier utterances of a session, p95",
    unit: "s",
    queries: { wait: p95("tts_edge_turn_wait_seconds") },
  },
  {
    title: "Utterances ended",
    unit: "short",
    queries: { "{{outcome}}": rate("tts_edge_utterances_ended_total", "outcome") },
  },
  {
    title: "Audio sent",
    unit: "Bps",
    queries: { sent: "sum(rate(tts_edge_audio_bytes_sent_total[$__rate_interval]))" },
  },
  {
    title: "Cache lookups",
    unit: "short",
    queries: { "{{result}}": rate("tts_cache_lookups_total", "result") },
  },
  {
    title: "Utterances by worker",
    unit: "short",
    queries: { "{{instance}}": "tts_worker_utterances_active" },
  },
  {
    title: "Provider slots",
    unit: "short",
    queries: { held: "sum(tts_worker_slots_held)", waiting: "sum(tts_worker_slots_waiting)" },
  },
  {
    title: "Provider's first audio, p95",
    unit: "s",
    queries: { "first audio": p95("tts_worker_provider_first_audio_seconds") },
  },
  {
    title: "Provider accepts the key",
    unit: "bool",
    queries: { "{{key}}": "min by (key) (tts_worker_provider_usable)" },
  },
  {
    title: "Circuit open",
    unit: "bool",
    queries: { "{{circuit}}": "max by (circuit) (tts_worker_circuit_open)" },
  },
  {
    title: "Processes by version",
    unit: "short",
    queries: {
      "{{program}} {{version}} {{commit}}": "count by (program, version, commit) (tts_build_info)",
    },
  },
];

const [COLUMNS, WIDTH, HEIGHT] = [3, 8, 7];
const datasource = { type: "prometheus", uid: "prometheus" };

export const dashboardJson = (): string =>
  `${JSON.stringify(
    {
      uid: "tts-labs",
      title: "tts-labs",
      schemaVersion: 39,
      refresh: "10s",
      time: { from: "now-1h", to: "now" },
      panels: PANELS.map(({ title, unit, queries }, i) => ({
        id: i + 1,
        type: "timeseries",
        title,
        datasource,
        gridPos: {
          x: (i % COLUMNS) * WIDTH,
          y: Math.floor(i / COLUMNS) * HEIGHT,
          w: WIDTH,
          h: HEIGHT,
        },
        fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
        targets: Object.entries(queries).map(([legendFormat, expr], n) => ({
          refId: String.fromCharCode(65 + n),
          datasource,
          expr,
          legendFormat,
        })),
      })),
    },
    null,
    2,
  )}\n`;

if (import.meta.main) writeFileSync(new URL("dashboards/tts.json", import.meta.url), dashboardJson());
