import type { SocketState } from "./connection-state.ts";
import type { Waiting } from "./text/owed-speech.ts";

/** How long each wait on a provider socket may last. Every one ends with a name. Milliseconds. */
export interface ProviderDeadlines {
  /** Until upgraded; then `provider.connect_timeout`. */
  readonly connectMs: number;
  /** First trigger → first audio; then `provider.first_audio_timeout`. */
  readonly firstAudioMs: number;
  /**
   * The same, from when the provider has all of the text, on the first socket of a run: a socket that says nothing
   * for so long mostly never will, and another may. Then `provider.first_audio_timeout` too, not held against it.
   */
  readonly silenceMs: number;
  /** Between chunks while speech is owed; then `provider.gap_timeout`. */
  readonly gapMs: number;
  /** Last audio or end of text, whichever is later → final message; then `provider.final_timeout`. */
  readonly finalMs: number;
  /** Up to here a final message is normal, later it is counted as late. */
  readonly finalGraceMs: number;
  /** Our close after an utterance's end → the socket is torn down. */
  readonly forcedCloseMs: number;
  readonly pingEveryMs: number;
  /** Ping → anything heard; then `provider.unresponsive`. */
  readonly pongMs: number;
  /** The closing handshake of a socket let go unused; ws itself waits no longer for any. */
  readonly closeWaitMs: number;
  /** Nothing sent for so long while speaking → a space, so that the provider does not take the client for gone. */
  readonly keepAliveMs: number;
}

/** Keep-alive is sent at half the inactivity limit that the synthesizer asks for. */
export const DEFAULT_DEADLINES: ProviderDeadlines = {
  connectMs: 5_000,
  firstAudioMs: 10_000,
  silenceMs: 3_000,
  gapMs: 10_000,
  finalMs: 15_000,
  finalGraceMs: 500,
  forcedCloseMs: 2_000,
  pingEveryMs: 20_000,
  pongMs: 10_000,
  closeWaitMs: 5_000,
  keepAliveMs: 90_000,
};

export type DueKind =
  | "connect"
  | "first-audio"
  | "silence"
  | "more-audio"
  | "final"
  | "ping"
  | "pong"
  | "keep-alive"
  | "forced-close";

export interface Due {
  readonly kind: DueKind;
  readonly atMs: number;
}

/** What a connection knows about its waits; all times monotonic. */
export interface WaitFacts {
  readonly state: SocketState["kind"];
  /** When the socket began to connect, or, once ended, to close. */
  readonly sinceMs: number;
  /** It ended without having been used. */
  readonly unused: boolean;
  readonly waiting: Waiting;
  /** Audio has come since the provider was last made to speak. */
  readonly hasBegun?: boolean;
  /** Another socket has failed before: this one gets the whole time for its first audio. */
  readonly patient?: boolean;
  /** Since when the socket is being read; `undefined` while paused: then what does not come is our own doing. */
  readonly readingSinceMs: number | undefined;
  readonly pingedAtMs: number;
  /** The ping has been answered, by a pong or anything else. */
  readonly answered: boolean;
  readonly lastSentAtMs: number;
  /** A space may be sent: between words, before the end. */
  readonly mayKeepAlive: boolean;
}

const LIMITS = { "first-audio": "firstAudioMs", "more-audio": "gapMs", final: "finalMs" } as const;

/** The next thing to happen if nothing else does; one timer serves them all. */
export function nextDue(facts: WaitFacts, deadlines: ProviderDeadlines): Due | undefined {
  if (facts.state === "connecting") {
    return { kind: "connect", atMs: facts.sinceMs + deadlines.connectMs };
  }
  if (facts.state === "ended") {
    const limitMs = facts.unused ? deadlines.closeWaitMs : deadlines.forcedCloseMs;
    return { kind: "forced-close", atMs: facts.sinceMs + limitMs };
  }
  const dues: Due[] = [];
  if (facts.mayKeepAlive) {
    dues.push({ kind: "keep-alive", atMs: facts.lastSentAtMs + deadlines.keepAliveMs });
  }
  const { readingSinceMs, waiting } = facts;
  if (readingSinceMs !== undefined) {
    dues.push(
      facts.answered
        ? { kind: "ping", atMs: facts.pingedAtMs + deadlines.pingEveryMs }
        : { kind: "pong", atMs: Math.max(facts.pingedAtMs, readingSinceMs) + deadlines.pongMs },
    );
    // Characters may be missing from the timings: while the client owes text, what is due can't be known so exactly.
    const isClientsTurn =
      facts.state === "speaking" && facts.hasBegun === true && waiting.kind === "more-audio";
    if (waiting.kind !== "nothing" && !isClientsTurn) {
      const sinceMs = Math.max(waiting.sinceMs, readingSinceMs);
      dues.push({ kind: waiting.kind, atMs: sinceMs + deadlines[LIMITS[waiting.kind]] });
      if (waiting.kind === "first-audio" && waiting.completeSinceMs !== undefined && facts.patient !== true) {
        const completeSinceMs = Math.max(waiting.completeSinceMs, readingSinceMs);
        dues.push({ kind: "silence", atMs: completeSinceMs + deadlines.silenceMs });
      }
    }
  }
  return dues.reduce<Due | undefined>(
    (first, due) => (first === undefined || due.atMs < first.atMs ? due : first),
    undefined,
  );
}
