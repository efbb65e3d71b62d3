import { setTimeout as sleep } from "node:timers/promises";
import { type DirectRoute, openDirectSocket, speakDirect, speakDirectCold } from "../load/direct-speaker.ts";
import { SessionSpeaker } from "../load/session-speaker.ts";
import type { HeardUtterance } from "../load/speech.ts";
import type { BenchSystem } from "../load/system.ts";

/** One sentence, spoken through us and, in some of the rounds, directly as well. */
export type Trial =
  | {
      readonly kind: "heard";
      readonly sentence: string;
      readonly ours: HeardUtterance;
      readonly direct: { readonly warm: HeardUtterance; readonly cold: HeardUtterance } | undefined;
    }
  | { readonly kind: "failed"; readonly reason: string };

/** What one session holds for a run: its connection to the edge, and where to speak directly. */
export interface Ways {
  readonly session: SessionSpeaker;
  readonly direct: DirectRoute;
  close(): void;
}

export async function waysOf(system: BenchSystem): Promise<Ways> {
  const session = await SessionSpeaker.open(system.edgeUrl, { voice: system.direct.voice });
  return { session, direct: system.direct, close: () => session.close() };
}

export interface TrialOptions {
  readonly sentence: string;
  readonly alsoDirect: boolean;
  /** Each way starts so long after the one before, or when that is over. */
  readonly spacingMs: number;
}

/** Failures are results, too. */
export async function speak(ways: Ways, options: TrialOptions): Promise<Trial> {
  const { sentence, alsoDirect } = options;
  const beganAtMs = performance.now();
  try {
    const ours = await ways.session.speak(sentence);
    const direct = alsoDirect ? await speakBothDirectWays(ways.direct, options, beganAtMs) : undefined;
    return { kind: "heard", sentence, ours, direct };
  } catch (error) {
    return { kind: "failed", reason: error instanceof Error ? error.message : String(error) };
  }
}

async function speakBothDirectWays(
  route: DirectRoute,
  { sentence, spacingMs }: TrialOptions,
  beganAtMs: number,
): Promise<{ warm: HeardUtterance; cold: HeardUtterance }> {
  const turn = (number: number) => sleep(Math.max(0, beganAtMs + number * spacingMs - performance.now()));
  // Opened now, so that it is warm, and young, by the time of its turn.
  const socket = await openDirectSocket(route);
  await turn(1);
  const warm = await speakDirect(socket, sentence);
  await turn(2);
  return { warm, cold: await speakDirectCold(route, sentence) };
}
