import { allOf, counter, gauge, histogram, type MetersOf } from "@tts-labs/core/process/metrics";
import type { ListenerEnd, ListenObserver } from "./listen-observer.ts";

const reason = allOf<ListenerEnd>({
  left: true,
  "session-ended": true,
  slow: true,
  refused: true,
  draining: true,
});

/** What the edge tells Prometheus of listeners. */
export const listenMetrics = {
  listeners: gauge("tts_listeners", "Listeners that hear what sessions speak, on this edge."),
  listenReaders: gauge(
    "tts_listen_readers",
    "Sessions listened to on this edge; each is read from Redis once.",
  ),
  listenersEnded: counter("tts_listeners_ended_total", "Listeners that left, by why.", { reason }),
  listenDropped: counter(
    "tts_listen_entries_dropped_total",
    "Frames and messages for listeners that Redis did not take in time.",
  ),
  listenMissed: counter(
    "tts_listen_samples_missed_total",
    "Samples that did not reach this edge's listeners, who were told so.",
  ),
  listenLateness: histogram(
    "tts_listen_frame_lateness_seconds",
    "Delay of a frame for listeners beyond the time at which it was due; it is due a second before it is played.",
    [0.005, 0.01, 0.02, 0.04, 0.08, 0.2, 0.5, 1],
  ),
};

export const toListenObserver = (meters: MetersOf<typeof listenMetrics>): ListenObserver => ({
  listeners: (delta) => meters.listeners.inc(delta),
  readers: (delta) => meters.listenReaders.inc(delta),
  listenerEnded: (why) => meters.listenersEnded.inc({ reason: why }),
  entriesDropped: (count) => meters.listenDropped.inc(count),
  samplesMissed: (samples) => meters.listenMissed.inc(samples),
  framePublished: (lateMs) => meters.listenLateness.observe(lateMs / 1_000),
});
