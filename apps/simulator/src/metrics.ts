import type { BuildInfo } from "@tts-labs/core/process/build-info";
import { showBuild } from "@tts-labs/core/process/metrics";
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { MetricsPage } from "./http/routes.ts";
import type { Report } from "./report.ts";
import type { Services } from "./services.ts";

type Totals = Omit<Report, "log">;

/** What the witness counted, as metrics; the values are read when asked for. A reset sets them back. */
export function openMetrics({ witness, engine, encoded }: Services, build: BuildInfo): MetricsPage {
  const registry = new Registry();
  showBuild(build, registry);
  collectDefaultMetrics({ register: registry, prefix: "simulator_" });
  const gauge = (name: string, help: string, read: (report: Totals) => number) => {
    new Gauge({
      name: `simulator_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read(witness.totals()));
      },
    });
  };
  const labelled = (
    name: string,
    label: string,
    help: string,
    read: (report: Totals) => Record<string, number>,
  ) => {
    new Gauge({
      name: `simulator_${name}`,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        this.reset();
        for (const [value, count] of Object.entries(read(witness.totals())))
          this.set({ [label]: value }, count);
      },
    });
  };
  gauge("connections_open", "Sockets open now", (report) => report.connections.open);
  gauge("connections_opened", "Sockets opened", (report) => report.connections.opened);
  gauge("openings", "Opening messages seen", (report) => report.openings);
  gauge("texts", "Text messages seen", (report) => report.texts);
  gauge("characters", "Characters of text seen", (report) => report.characters);
  gauge("generations", "Generations spoken", (report) => report.generations);
  gauge("generating", "Generations under way", (report) => report.generating.now);
  gauge("audio_bytes", "Bytes of audio sent on sockets", (report) => report.audioBytes);
  gauge(
    "closed_without_end",
    "Sockets closed by the client after text and without an end",
    (report) => report.closedWithoutEnd,
  );
  labelled("closes", "code", "Sockets closed, by code", (report) => ({ ...report.closes }));
  labelled("violations", "kind", "Things a well-behaved client never does", (report) => ({
    ...report.violations,
  }));
  labelled("errors", "error", "Errors told on sockets", (report) => ({ ...report.errors }));
  labelled("faults", "fault", "Connections that met a fault", (report) => ({ ...report.faults }));
  labelled("requests", "request", "HTTP requests by route and status", (report) => ({ ...report.requests }));
  gauge("units_rendered", "Sentences synthesized", () => engine.figures().rendered);
  gauge("units_remembered", "Sentences taken from memory", () => engine.figures().remembered);
  gauge(
    "memo_bytes",
    "Bytes of speech and messages remembered",
    () => engine.figures().memoBytes + encoded.bytes,
  );
  return { contentType: registry.contentType, text: () => registry.metrics() };
}
