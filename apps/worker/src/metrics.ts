import type { BreakerObserver } from "@tts-labs/core/breaker/observer";
import type { GovernorObserver } from "@tts-labs/core/governor/observer";
import type { BuildInfo } from "@tts-labs/core/process/build-info";
import { allOf, counter, gauge, histogram, type MetersOf, openMeters } from "@tts-labs/core/process/metrics";
import type { LatencyParts } from "@tts-labs/core/session/entries";
import type { StreamLoss, StreamObserver } from "@tts-labs/core/stream/observer";
import { BYTES_PER_SAMPLE } from "@tts-labs/protocol/audio/pcm";
import { ERROR_CODES } from "@tts-labs/protocol/errors";
import type { SocketPhase } from "./elevenlabs/connection-state.ts";
import { ALIGNMENT_REFUSALS } from "./elevenlabs/intake/provider-alignment.ts";
import { IGNORED_REASONS } from "./elevenlabs/messages.ts";
import type { ProviderObserver, RetiredReason } from "./elevenlabs/observer.ts";
import { KEY_NAMES, type KeyName } from "./key-name.ts";
import type { KeyObserver } from "./provider.ts";
import type { RunObserver } from "./run/roles.ts";

/** Seconds; from a warm checkout (below 1 ms) to the longest deadline. */
const BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 20];

const code = ERROR_CODES;
const part = allOf<keyof LatencyParts>({ queue: true, slot: true, connect: true, provider: true });
const key = KEY_NAMES;

/** What `/metrics` says of a worker. Every label is one of a closed set; docs/worker.md lists them. */
export const workerMetrics = {
  // Utterances.
  active: gauge("tts_worker_utterances_active", "Utterances being spoken now."),
  ended: counter("tts_worker_utterances_total", "Utterances ended, by outcome or error code.", {
    outcome: ["completed", "cancelled", "abandoned", "handed-over", "parked", ...code],
  }),
  parts: histogram(
    "tts_worker_first_audio_seconds",
    "Where the time to an utterance's first audio went: queue, slot, connect, provider.",
    BUCKETS,
    { part },
  ),
  retries: counter("tts_worker_retries_total", "Second sockets tried, by the fault before.", { code }),
  continuations: counter(
    "tts_worker_continuations_total",
    "Utterances continued at the next word, by the fault before; worker.unavailable: another worker's.",
    { code },
  ),
  substitutions: counter(
    "tts_worker_substitutions_total",
    "Utterances that went to a configured fallback, by the fault before.",
    { code },
  ),
  samples: counter("tts_worker_samples_total", "Samples stored for readers."),
  audioBytes: counter("tts_worker_audio_bytes_total", "Bytes of audio stored for readers."),
  // The provider.
  connect: histogram("tts_worker_provider_connect_seconds", "Time a provider socket took to open.", BUCKETS),
  failures: counter(
    "tts_worker_provider_failures_total",
    "Provider sockets that ended in failure: while connecting, warm or speaking, and why.",
    { phase: allOf<SocketPhase>({ connecting: true, warm: true, speaking: true }), code },
  ),
  firstAudio: histogram("tts_worker_provider_first_audio_seconds", "First trigger to first audio.", BUCKETS),
  lateFinals: counter("tts_worker_provider_late_finals_total", "Final messages after their grace."),
  ignored: counter("tts_worker_provider_ignored_messages_total", "Messages not understood.", {
    reason: IGNORED_REASONS,
  }),
  refusedTimings: counter(
    "tts_worker_provider_refused_alignments_total",
    "Timings dropped in whole or in part, and why.",
    { reason: ALIGNMENT_REFUSALS },
  ),
  paused: gauge("tts_worker_provider_sockets_paused", "Sockets not read because readers are slower."),
  checkouts: counter(
    "tts_worker_pool_checkouts_total",
    "Sockets taken: hit (warm), miss, or fresh by request.",
    { how: ["hit", "miss", "fresh"] },
  ),
  retired: counter("tts_worker_pool_retired_total", "Warm sockets let go unused.", {
    reason: allOf<RetiredReason>({
      age: true,
      unhealthy: true,
      failed: true,
      evicted: true,
      unused: true,
      closing: true,
    }),
  }),
  warm: gauge("tts_worker_pool_warm_sockets", "Sockets open ahead of need."),
  full: counter("tts_worker_pool_full_total", "Routes or sockets not kept because of a bound.", {
    bound: ["routes", "sockets", "remembered"],
  }),
  // Its keys, by their place in the configuration.
  usable: gauge("tts_worker_provider_usable", "0 while the provider does not accept the key.", { key }),
  keySlots: gauge("tts_worker_provider_key_slots", "Generations at once that a key is known to allow.", {
    key,
  }),
  circuitOpen: gauge("tts_worker_circuit_open", "1 while the provider is left alone.", { circuit: key }),
  circuitChanges: counter(
    "tts_worker_circuit_changes_total",
    "Circuits that opened or closed, as this worker has learnt it.",
    { circuit: key, state: ["open", "closed"] },
  ),
  circuitRefused: counter("tts_worker_circuit_refused_total", "Utterances turned away.", { circuit: key }),
  circuitProbes: counter("tts_worker_circuit_probes_total", "Probes made by this worker.", { circuit: key }),
  // Slots.
  slotWaits: histogram("tts_worker_slot_wait_seconds", "Waits for a provider slot that was had.", BUCKETS),
  slotTimeouts: counter("tts_worker_slot_timeouts_total", "Waits for a provider slot that were too long."),
  slotsLost: counter("tts_worker_slot_leases_lost_total", "Slots whose lease expired while in use."),
  slotsHeld: gauge("tts_worker_slots_held", "Provider slots in use by this worker."),
  slotsWaiting: gauge("tts_worker_slots_waiting", "Utterances of this worker that wait for a slot."),
  // Streams.
  entries: counter("tts_worker_stream_entries_total", "Entries appended to streams."),
  streamBytes: counter("tts_worker_stream_bytes_total", "Bytes appended to streams, heads included."),
  roomWaits: histogram("tts_worker_stream_wait_seconds", "Waits for room in a stream at its bound.", BUCKETS),
  bells: counter("tts_worker_stream_bells_total", "Sleeping readers woken."),
  vainReads: counter("tts_worker_stream_vain_reads_total", "Reads that found nothing."),
  resent: counter("tts_worker_stream_resent_total", "Appends sent again, their answer being lost."),
  mended: counter("tts_worker_stream_mended_total", "Entries stored again that Redis had lost."),
  lost: counter("tts_worker_stream_lost_total", "Streams that no longer held a position.", {
    reason: allOf<StreamLoss>({ epoch: true, trimmed: true, "beyond-tail": true, gone: true }),
  }),
};

type Meters = MetersOf<typeof workerMetrics>;

export interface WorkerMetrics {
  readonly run: RunObserver;
  /** One for each provider; all count together. */
  provider(): ProviderObserver;
  /** @param names of the circuits, each with the key that it belongs to */
  breaker(names: ReadonlyMap<string, KeyName>): BreakerObserver;
  readonly keys: KeyObserver;
  governor(): GovernorObserver;
  readonly streams: StreamObserver;
  readonly contentType: string;
  text(): Promise<string>;
}

export function openMetrics(build: BuildInfo): WorkerMetrics {
  const { meters, contentType, text } = openMeters(workerMetrics, build);
  return {
    run: runMetrics(meters),
    provider: () => providerMetrics(meters),
    breaker: (names) => breakerMetrics(meters, names),
    keys: {
      usable: (name, isUsable) => meters.usable.set({ key: name }, isUsable ? 1 : 0),
      slots: (name, slots) => meters.keySlots.set({ key: name }, slots),
    },
    governor: () => governorMetrics(meters),
    streams: streamMetrics(meters),
    contentType,
    text,
  };
}

const runMetrics = (meters: Meters): RunObserver => ({
  began: () => meters.active.inc(),
  firstAudio: (latency) => {
    for (const name of part) meters.parts.observe({ part: name }, latency[name] / 1_000);
  },
  retried: (fault) => meters.retries.inc({ code: fault }),
  continued: (fault) => meters.continuations.inc({ code: fault }),
  substituted: (fault) => meters.substitutions.inc({ code: fault }),
  appended: (samples) => {
    meters.samples.inc(samples);
    meters.audioBytes.inc(samples * BYTES_PER_SAMPLE);
  },
  ended: (outcome) => {
    meters.active.dec();
    meters.ended.inc({ outcome });
  },
});

const providerMetrics = (meters: Meters): ProviderObserver => ({
  connected: (ms) => meters.connect.observe(ms / 1_000),
  failed: (phase, fault) => meters.failures.inc({ phase, code: fault }),
  firstAudio: (ms) => meters.firstAudio.observe(ms / 1_000),
  lateFinal: () => meters.lateFinals.inc(),
  ignoredMessage: (reason) => meters.ignored.inc({ reason }),
  refusedAlignment: (reason) => meters.refusedTimings.inc({ reason }),
  paused: (isPaused) => (isPaused ? meters.paused.inc() : meters.paused.dec()),
  checkedOut: (how) => meters.checkouts.inc({ how }),
  retired: (reason) => meters.retired.inc({ reason }),
  warm: shareOf(meters.warm),
  full: (bound) => meters.full.inc({ bound }),
});

function breakerMetrics(meters: Meters, names: ReadonlyMap<string, KeyName>): BreakerObserver {
  // Circuits are named by host and key where they are shared; here each is one of a closed set.
  const named = (tell: (circuit: KeyName) => void) => (name: string) => {
    const circuit = names.get(name);
    if (circuit !== undefined) tell(circuit);
  };
  for (const circuit of names.values()) meters.circuitOpen.set({ circuit }, 0);
  return {
    changed: (name, state) =>
      named((circuit) => {
        meters.circuitChanges.inc({ circuit, state });
        meters.circuitOpen.set({ circuit }, state === "open" ? 1 : 0);
      })(name),
    refused: named((circuit) => meters.circuitRefused.inc({ circuit })),
    probed: named((circuit) => meters.circuitProbes.inc({ circuit })),
  };
}

function governorMetrics(meters: Meters): GovernorObserver {
  const [setHeld, setWaiting] = [shareOf(meters.slotsHeld), shareOf(meters.slotsWaiting)];
  return {
    granted: (waitedMs) => meters.slotWaits.observe(waitedMs / 1_000),
    timedOut: () => meters.slotTimeouts.inc(),
    lostLeases: (count) => meters.slotsLost.inc(count),
    counts: (held, waiting) => {
      setHeld(held);
      setWaiting(waiting);
    },
  };
}

/** One of several that a gauge is the sum of. */
function shareOf(meter: { inc(by: number): void }): (value: number) => void {
  let share = 0;
  return (value) => {
    meter.inc(value - share);
    share = value;
  };
}

const streamMetrics = (meters: Meters): StreamObserver => ({
  appended: (count, size) => {
    meters.entries.inc(count);
    meters.streamBytes.inc(size);
  },
  waitedForRoom: (ms) => meters.roomWaits.observe(ms / 1_000),
  rang: (count) => meters.bells.inc(count),
  readInVain: () => meters.vainReads.inc(),
  resent: () => meters.resent.inc(),
  mended: (count) => meters.mended.inc(count),
  lost: (reason) => meters.lost.inc({ reason }),
});
