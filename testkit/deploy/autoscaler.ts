/**
 * What Kubernetes' HorizontalPodAutoscaler decides, for tests that start and stop processes by it: the documented
 * formula (ceil(current × measured / target), tolerance 10 %), the largest of several metrics, the window of
 * stabilization and the policies of its `behavior`, which are read from our own manifest.
 */
export interface AutoscalerPlan {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** For going down, as the manifest's `behavior.scaleDown` has them. */
  readonly scaleDown: {
    readonly stabilizationWindowMs: number;
    readonly pods: number;
    readonly periodMs: number;
  };
}

/** One metric at one moment. */
export type Measured =
  /** Of type Pods: a value per pod, undefined where it could not be read; `target` is the average to be had. */
  | { readonly type: "Pods"; readonly target: number; readonly values: readonly (number | undefined)[] }
  /** Of type External with an average value: `target` per pod of a total, undefined where it could not be read. */
  | { readonly type: "External"; readonly target: number; readonly total: number | undefined };

/** `--horizontal-pod-autoscaler-tolerance`. */
const TOLERANCE = 0.1;
/** What a HorizontalPodAutoscaler allows upwards where its `behavior` says nothing: the larger of the two. */
const UP = { pods: 4, factor: 2 };

interface Recommendation {
  readonly atMs: number;
  readonly replicas: number;
}

export class Autoscaler {
  readonly #plan: AutoscalerPlan;
  /** Those that are younger than the window. */
  #recommendations: Recommendation[] = [];
  /** Pods taken away, each with its time, within the period of the policy. */
  #removals: number[] = [];

  constructor(plan: AutoscalerPlan) {
    this.#plan = plan;
  }

  /** The number of pods to have, where there are `current`. Nothing is remembered of a metric that is not known. */
  next(nowMs: number, current: number, metrics: readonly Measured[]): number {
    const wanted = wantedByAll(current, metrics);
    if (wanted === undefined) return current;
    const { minReplicas, maxReplicas, scaleDown } = this.#plan;
    const inWindow = ({ atMs }: Recommendation) => atMs > nowMs - scaleDown.stabilizationWindowMs;
    this.#recommendations = [...this.#recommendations.filter(inWindow), { atMs: nowMs, replicas: wanted }];
    const stable =
      wanted >= current
        ? wanted
        : Math.min(current, Math.max(...this.#recommendations.map(({ replicas }) => replicas)));
    const bounded = Math.min(maxReplicas, Math.max(minReplicas, stable));
    return bounded < current
      ? this.#lowered(nowMs, current, bounded)
      : Math.min(bounded, Math.max(current + UP.pods, current * UP.factor));
  }

  #lowered(nowMs: number, current: number, wanted: number): number {
    const { pods, periodMs } = this.#plan.scaleDown;
    this.#removals = this.#removals.filter((atMs) => atMs > nowMs - periodMs);
    const removed = Math.max(0, Math.min(current - wanted, pods - this.#removals.length));
    for (let i = 0; i < removed; i += 1) this.#removals.push(nowMs);
    return current - removed;
  }
}

/** The largest that a metric asks for. One that is not known lets the size grow by the others, and never shrink. */
function wantedByAll(current: number, metrics: readonly Measured[]): number | undefined {
  const wanted = metrics.map((it) => wantedBy(current, it));
  const known = wanted.flatMap((it) => it ?? []);
  if (known.length === 0) return undefined;
  const largest = Math.max(...known);
  return known.length < wanted.length && largest < current ? undefined : largest;
}

function wantedBy(current: number, metric: Measured): number | undefined {
  const { target } = metric;
  if (metric.type === "External") {
    if (metric.total === undefined) return undefined;
    return within(metric.total / (target * current)) ? current : Math.ceil(metric.total / target);
  }
  const known = metric.values.flatMap((it) => it ?? []);
  if (known.length === 0) return undefined;
  const sum = known.reduce((all, it) => all + it, 0);
  const ratio = sum / (target * known.length);
  if (known.length === metric.values.length) return within(ratio) ? current : Math.ceil(ratio * current);
  // A pod whose value is missing counts as just right where others ask for fewer pods, as idle where they ask for more.
  const missing = metric.values.length - known.length;
  const filled = (sum + (ratio < 1 ? missing * target : 0)) / (target * metric.values.length);
  const turned = ratio < 1 !== filled < 1;
  return within(filled) || turned ? current : Math.ceil(filled * metric.values.length);
}

const within = (ratio: number): boolean => Math.abs(1 - ratio) <= TOLERANCE;
