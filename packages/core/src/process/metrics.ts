import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { BuildInfo } from "./build-info.ts";

/** Each label with all the values that it may take: a set that no client's message can make larger. */
type Labels = Readonly<Record<string, readonly string[]>>;
type NoLabels = Record<never, readonly string[]>;

type Kind = "counter" | "gauge" | "histogram";

export interface Metric<K extends Kind = Kind, L extends Labels = Labels> {
  readonly type: K;
  readonly name: string;
  readonly help: string;
  readonly labels: L;
  /** Upper bounds, of a histogram alone. */
  readonly buckets?: readonly number[];
}

/** The metrics of one program, each by the name that the program's code has for it. */
export type MetricTable = Readonly<Record<string, Metric>>;

export const counter = <const L extends Labels = NoLabels>(
  name: string,
  help: string,
  labels: L = {} as L,
): Metric<"counter", L> => ({ type: "counter", name, help, labels });

export const gauge = <const L extends Labels = NoLabels>(
  name: string,
  help: string,
  labels: L = {} as L,
): Metric<"gauge", L> => ({ type: "gauge", name, help, labels });

/** @param buckets upper bounds, in the unit that ends the name */
export const histogram = <const L extends Labels = NoLabels>(
  name: string,
  help: string,
  buckets: readonly number[],
  labels: L = {} as L,
): Metric<"histogram", L> => ({ type: "histogram", name, help, labels, buckets });

/** All values of a union type. The compiler asks for each of them, so that none is forgotten when one is added. */
export const allOf = <T extends string>(values: Readonly<Record<T, true>>): readonly T[] =>
  Object.keys(values) as T[];

type LabelValues<L extends Labels> = { readonly [K in keyof L]: L[K][number] };
type WithLabels<L extends Labels, Rest extends unknown[]> = keyof L extends never
  ? Rest
  : [labels: LabelValues<L>, ...Rest];

interface CounterMeter<L extends Labels> {
  inc(...args: WithLabels<L, [by?: number]>): void;
}

interface GaugeMeter<L extends Labels> {
  inc(...args: WithLabels<L, [by?: number]>): void;
  dec(...args: WithLabels<L, [by?: number]>): void;
  set(...args: WithLabels<L, [value: number]>): void;
  /** Without labels: 0 again. With labels: none of its series is shown any more. */
  reset(): void;
  /** The series is shown no more, until it is set again. */
  remove(...args: WithLabels<L, []>): void;
}

interface HistogramMeter<L extends Labels> {
  observe(...args: WithLabels<L, [value: number]>): void;
}

export type MetersOf<T extends MetricTable> = {
  readonly [K in keyof T]: T[K] extends Metric<"counter", infer L>
    ? CounterMeter<L>
    : T[K] extends Metric<"gauge", infer L>
      ? GaugeMeter<L>
      : T[K] extends Metric<"histogram", infer L>
        ? HistogramMeter<L>
        : never;
};

export interface Meters<T extends MetricTable> {
  readonly meters: MetersOf<T>;
  readonly contentType: string;
  /** What a Prometheus scrapes: these metrics, `tts_build_info`, and Node's own. */
  text(): Promise<string>;
}

export function showBuild({ program, version, commit }: BuildInfo, registry: Registry): void {
  new Gauge({
    name: "tts_build_info",
    help: "1; the labels say which program this is, its version, and the commit that it was built from.",
    labelNames: ["program", "version", "commit"],
    registers: [registry],
  }).set({ program, version, commit }, 1);
}

/** Opens what `table` declares in a registry of its own, so that several programs in one process count apart. */
export function openMeters<T extends MetricTable>(table: T, build: BuildInfo): Meters<T> {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  showBuild(build, registry);
  const open = ({ type, name, help, labels, buckets = [] }: Metric) => {
    const common = { name, help, registers, labelNames: Object.keys(labels) };
    if (type === "counter") return new Counter(common);
    return type === "gauge" ? new Gauge(common) : new Histogram({ ...common, buckets: [...buckets] });
  };
  const meters = Object.fromEntries(Object.entries(table).map(([key, metric]) => [key, open(metric)]));
  return {
    // The table's types say of each meter what was just opened for it.
    meters: meters as unknown as MetersOf<T>,
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}
