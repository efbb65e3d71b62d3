import { setTimeout as sleep } from "node:timers/promises";
import type { FleetMember } from "../../supervisor/fleet-member.ts";
import type { Scenario, Stage } from "../scenario.ts";

/** Between two blows: a takeover, and some undisturbed speech. */
const BETWEEN_MS = 3_000;
/** Past the lock (1.5 s) and the search for stalled jobs (0.4 s), so that others have taken over meanwhile. */
const FROZEN_MS = 4_000;

const system = { redis: "empty", edges: 2, workers: 3, env: {} } as const;
const load = { sessions: 40, delivery: "burst", resume: true } as const;
const promises = { takeoverP99Ms: 3_000 } as const;
const unprotected = {
  about: "an utterance begun by another worker is not continued (CONTINUATIONS_MAX=0)",
  system: { env: { worker: { CONTINUATIONS_MAX: "0" } } },
} as const;

export const killWorker: Scenario = {
  name: "kill-worker",
  about: "kill -9 of a worker in mid-utterance, again and again; each is replaced a little later",
  system,
  load,
  promises,
  unprotected,
  harm: async (stage) => {
    await inTurn(stage, stage.fleet.workers, async (worker) => {
      stage.struck(`killed ${worker.name}`);
      await worker.kill();
      await stage.pause(BETWEEN_MS);
      await worker.start();
    });
  },
};

export const freezeWorker: Scenario = {
  name: "freeze-worker",
  about: "SIGSTOP of a worker until others have taken over, then SIGCONT: the stale one must do no harm",
  system,
  load,
  promises,
  unprotected,
  harm: async (stage) => {
    await inTurn(stage, stage.fleet.workers, async (worker) => {
      stage.struck(`froze ${worker.name}`);
      worker.freeze();
      try {
        // This is not cut short: the harm is in the awakening.
        await sleep(FROZEN_MS);
      } finally {
        worker.thaw();
      }
      await stage.pause(BETWEEN_MS);
    });
  },
};

/** One after the other, from when the sessions are speaking until enough has been said; at least one. */
async function inTurn(
  stage: Stage,
  members: readonly FleetMember[],
  hurt: (member: FleetMember) => Promise<void>,
): Promise<void> {
  await stage.ended(1);
  for (let turn = 0; turn === 0 || !stage.enough; turn += 1) {
    const member = members[turn % members.length];
    if (member !== undefined) await hurt(member);
  }
}
