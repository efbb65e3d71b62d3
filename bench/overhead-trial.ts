import { setTimeout as sleep } from "node:timers/promises";
import { type DirectRoute, openDirectSocket, speakDirect, speakDirectCold } from "./direct-speaker.ts";
import { SessionSpeaker } from "./session-speaker.ts";
import type { HeardUtterance } from "./speech.ts";
import type { BenchSystem } from "./system.ts";

/** One sentence, spoken in all three ways. */
export type Trial =
  | {
      readonly kind: "heard";
      readonly ours: HeardUtterance;
      readonly warm: HeardUtterance;
      readonly cold: HeardUtterance;
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

/** Each way starts `spacingMs` after the one before, or when that is over. Failures are results, too. */
export async function speakAllWays(ways: Ways, sentence: string, spacingMs: number): Promise<Trial> {
  const beganAtMs = performance.now();
  const turn = (number: number) => sleep(Math.max(0, beganAtMs + number * spacingMs - performance.now()));
  try {
    const ours = await ways.session.speak(sentence);
    // Opened now, so that it is warm, and young, by the time of its turn.
    const socket = await openDirectSocket(ways.direct);
    await turn(1);
    const warm = await speakDirect(socket, sentence);
    await turn(2);
    const cold = await speakDirectCold(ways.direct, sentence);
    return { kind: "heard", ours, warm, cold };
  } catch (error) {
    return { kind: "failed", reason: error instanceof Error ? error.message : String(error) };
  }
}
