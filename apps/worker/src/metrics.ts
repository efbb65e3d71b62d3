import type { BreakerObserver } from "@tts-labs/core/breaker/observer";
import type { GovernorObserver } from "@tts-labs/core/governor/observer";
import type { StreamObserver } from "@tts-labs/core/stream/observer";
import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ProviderObserver } from "./elevenlabs/observer.ts";
import type { KeyObserver } from "./provider.ts";
import type { RunObserver } from "./run/roles.ts";

/** Seconds; from a warm checkout (below 1 ms) to the longest deadline. */
const LATENCY_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 20];

export interface WorkerMetrics {
  readonly run: RunObserver;
  /** One for each provider; all count together. */
  provider(): ProviderObserver;
  readonly breaker: BreakerObserver;
  readonly keys: KeyObserver;
  governor(): GovernorObserver;
  readonly streams: StreamObserver;
  readonly contentType: string;
  text(): Promise<string>;
}

/** What `/metrics` says of a worker. Every label is one of a closed set; docs/worker.md lists them. */
export function openMetrics(): WorkerMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return {
    run: runMetrics(registry),
    provider: providerMetrics(registry),
    breaker: breakerMetrics(registry),
    keys: keyMetrics(registry),
    governor: governorMetrics(registry),
    streams: streamMetrics(registry),
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}

function runMetrics(registry: Registry): RunObserver {
  const { counter, gauge, histogram } = metersOf(registry);
  const active = gauge("tts_worker_utterances_active", "Utterances being spoken now.");
  const ended = counter(
    "tts_worker_utterances_total",
    "Utterances ended, by outcome or error code.",
    "outcome",
  );
  const parts = histogram(
    "tts_worker_first_audio_seconds",
    "Where the time to an utterance's first audio went: queue, slot, connect, provider.",
    "part",
  );
  const retries = counter("tts_worker_retries_total", "Second sockets tried, by the fault before.", "code");
  const continuations = counter(
    "tts_worker_continuations_total",
    "Utterances continued at the next word, by the fault before; worker.unavailable: another worker's.",
    "code",
  );
  const substitutions = counter(
    "tts_worker_substitutions_total",
    "Utterances that went to a configured fallback, by the fault before.",
    "code",
  );
  const samples = counter("tts_worker_samples_total", "Samples stored for readers.");
  const bytes = counter("tts_worker_audio_bytes_total", "Bytes of audio stored for readers.");
  return {
    began: () => active.inc(),
    firstAudio: (latency) => {
      for (const part of ["queue", "slot", "connect", "provider"] as const) {
        parts.observe({ part }, latency[part] / 1_000);
      }
    },
    retried: (code) => retries.inc({ code }),
    continued: (code) => continuations.inc({ code }),
    substituted: (code) => substitutions.inc({ code }),
    appended: (count) => {
      samples.inc(count);
      bytes.inc(count * BYTES_PER_SAMPLE);
    },
    ended: (outcome) => {
      active.dec();
      ended.inc({ outcome });
    },
  };
}

function providerMetrics(registry: Registry): () => ProviderObserver {
  const { counter, gauge, histogram } = metersOf(registry);
  const connect = histogram("tts_worker_provider_connect_seconds", "Time a provider socket took to open.");
  const failures = counter(
    "tts_worker_provider_failures_total",
    "Provider sockets that ended in failure: while connecting, warm or speaking, and why.",
    "phase",
    "code",
  );
  const firstAudio = histogram("tts_worker_provider_first_audio_seconds", "First trigger to first audio.");
  const lateFinal = counter("tts_worker_provider_late_finals_total", "Final messages after their grace.");
  const ignored = counter("tts_worker_provider_ignored_messages_total", "Messages not understood.", "reason");
  const refused = counter(
    "tts_worker_provider_refused_alignments_total",
    "Timings dropped in whole or in part, and why.",
    "reason",
  );
  const paused = gauge("tts_worker_provider_sockets_paused", "Sockets not read because readers are slower.");
  const checkouts = counter(
    "tts_worker_pool_checkouts_total",
    "Sockets taken: hit (warm), miss, or fresh by request.",
    "how",
  );
  const retired = counter("tts_worker_pool_retired_total", "Warm sockets let go unused.", "reason");
  const warm = gauge("tts_worker_pool_warm_sockets", "Sockets open ahead of need.");
  const full = counter(
    "tts_worker_pool_full_total",
    "Routes or sockets not kept because of a bound.",
    "bound",
  );
  return () => ({
    connected: (ms) => connect.observe(ms / 1_000),
    failed: (phase, code) => failures.inc({ phase, code }),
    firstAudio: (ms) => firstAudio.observe(ms / 1_000),
    lateFinal: () => lateFinal.inc(),
    ignoredMessage: (reason) => ignored.inc({ reason }),
    refusedAlignment: (reason) => refused.inc({ reason }),
    paused: (isPaused) => (isPaused ? paused.inc() : paused.dec()),
    checkedOut: (how) => checkouts.inc({ how }),
    retired: (reason) => retired.inc({ reason }),
    warm: shareOf(warm),
    full: (bound) => full.inc({ bound }),
  });
}

/** A circuit's name holds its key's id, never the key; there are as many as keys are configured. */
function breakerMetrics(registry: Registry): BreakerObserver {
  const { counter } = metersOf(registry);
  const changes = counter(
    "tts_worker_circuit_changes_total",
    "Circuits that opened or closed, as this worker has learnt it.",
    "circuit",
    "state",
  );
  const refused = counter("tts_worker_circuit_refused_total", "Utterances turned away.", "circuit");
  const probes = counter("tts_worker_circuit_probes_total", "Probes made by this worker.", "circuit");
  const open = new Gauge({
    name: "tts_worker_circuit_open",
    help: "1 while the provider is left alone.",
    labelNames: ["circuit"],
    registers: [registry],
  });
  return {
    changed: (circuit, state) => {
      changes.inc({ circuit, state });
      open.set({ circuit }, state === "open" ? 1 : 0);
    },
    refused: (circuit) => refused.inc({ circuit }),
    probed: (circuit) => probes.inc({ circuit }),
  };
}

/** A key's id names it without telling it; there are as many as are configured. */
function keyMetrics(registry: Registry): KeyObserver {
  const gauge = (name: string, help: string) =>
    new Gauge({ name, help, labelNames: ["key"], registers: [registry] });
  const usable = gauge("tts_worker_provider_usable", "0 while the provider does not accept the key.");
  const limit = gauge("tts_worker_provider_key_slots", "Generations at once that a key is known to allow.");
  return {
    usable: (key, isUsable) => usable.set({ key }, isUsable ? 1 : 0),
    slots: (key, slots) => limit.set({ key }, slots),
  };
}

function governorMetrics(registry: Registry): () => GovernorObserver {
  const { counter, gauge, histogram } = metersOf(registry);
  const waits = histogram("tts_worker_slot_wait_seconds", "Waits for a provider slot that was had.");
  const timeouts = counter("tts_worker_slot_timeouts_total", "Waits for a provider slot that were too long.");
  const lost = counter("tts_worker_slot_leases_lost_total", "Slots whose lease expired while in use.");
  const heldNow = gauge("tts_worker_slots_held", "Provider slots in use by this worker.");
  const waitingNow = gauge("tts_worker_slots_waiting", "Utterances of this worker that wait for a slot.");
  return () => {
    const [setHeld, setWaiting] = [shareOf(heldNow), shareOf(waitingNow)];
    return {
      granted: (waitedMs) => waits.observe(waitedMs / 1_000),
      timedOut: () => timeouts.inc(),
      lostLeases: (count) => lost.inc(count),
      counts: (held, waiting) => {
        setHeld(held);
        setWaiting(waiting);
      },
    };
  };
}

/** One of several that a gauge is the sum of. */
function shareOf(gauge: Gauge): (value: number) => void {
  let share = 0;
  return (value) => {
    gauge.inc(value - share);
    share = value;
  };
}

function streamMetrics(registry: Registry): StreamObserver {
  const { counter, histogram } = metersOf(registry);
  const entries = counter("tts_worker_stream_entries_total", "Entries appended to streams.");
  const bytes = counter("tts_worker_stream_bytes_total", "Bytes appended to streams, heads included.");
  const waits = histogram("tts_worker_stream_wait_seconds", "Waits for room in a stream at its bound.");
  const bells = counter("tts_worker_stream_bells_total", "Sleeping readers woken.");
  const vain = counter("tts_worker_stream_vain_reads_total", "Reads that found nothing.");
  const resent = counter("tts_worker_stream_resent_total", "Appends sent again, their answer being lost.");
  const mended = counter("tts_worker_stream_mended_total", "Entries stored again that Redis had lost.");
  const lost = counter("tts_worker_stream_lost_total", "Streams that no longer held a position.", "reason");
  return {
    appended: (count, size) => {
      entries.inc(count);
      bytes.inc(size);
    },
    waitedForRoom: (ms) => waits.observe(ms / 1_000),
    rang: (count) => bells.inc(count),
    readInVain: () => vain.inc(),
    resent: () => resent.inc(),
    mended: (count) => mended.inc(count),
    lost: (reason) => lost.inc({ reason }),
  };
}

function metersOf(registry: Registry) {
  const registers = [registry];
  return {
    counter: <const T extends string>(name: string, help: string, ...labelNames: T[]) =>
      new Counter<T>({ name, help, labelNames, registers }),
    gauge: (name: string, help: string) => new Gauge({ name, help, registers }),
    histogram: <const T extends string>(name: string, help: string, ...labelNames: T[]) =>
      new Histogram<T>({ name, help, labelNames, registers, buckets: LATENCY_BUCKETS }),
  };
}
