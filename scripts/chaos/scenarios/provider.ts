import type { Scenario, Stage } from "../scenario.ts";
import { intoWords, LONG_TEXTS, VOICES } from "../texts.ts";

const STEP_MS = 200;
const STEPS = 50;

/** A voice of its own for each session, so that the fault it orders is the one its utterance meets. */
const LANES = [...VOICES.en, ...VOICES.de] as const;

const system = {
  redis: "empty",
  edges: 2,
  workers: 3,
  env: {
    // No socket is opened ahead: the next connection is the utterance's. The breaker would rightly open.
    worker: {
      POOL_WARM_SOCKETS: "0",
      BREAKER_FAULTS: "0",
      PROVIDER_FIRST_AUDIO_TIMEOUT_MS: "1500",
      PROVIDER_GAP_TIMEOUT_MS: "1500",
    },
    simulator: { SIMULATOR_GENERATION_SPEED: "20" },
  },
} as const;
const load = { sessions: LANES.length, delivery: "burst", resume: true } as const;
const unprotected = {
  about: "an utterance whose provider fails in its middle ends (WORKER_CONTINUE=off)",
  system: { env: { ...system.env, worker: { ...system.env.worker, WORKER_CONTINUE: "off" } } },
} as const;

interface OrderedFault {
  readonly fault: string;
  readonly afterMs?: number;
  readonly forMs?: number;
}

/** One fault per utterance, on the first connection that it gets. */
function onEach(
  fault: (turn: number, session: number) => OrderedFault,
): Pick<Scenario, "text" | "before" | "harm"> {
  return {
    text: (session, turn) => {
      const voice = LANES[session % LANES.length] ?? VOICES.en[0];
      const text = LONG_TEXTS[session % LANES.length < VOICES.en.length ? "en" : "de"];
      return { voice, text, pieces: turn % 2 === 0 ? [text] : intoWords(text) };
    },
    before: async (stage, session, turn, { voice }) => {
      if (stage.enough) return;
      const ordered = fault(turn, session);
      await order(stage, { ...ordered, voice, connections: 1 });
      stage.struck(
        `ordered ${ordered.fault}${ordered.afterMs === undefined ? "" : ` after ${ordered.afterMs} ms`}`,
      );
    },
    harm: async (stage) => stage.ended(Number.POSITIVE_INFINITY),
  };
}

async function order({ fleet }: Stage, body: object): Promise<void> {
  const answer = await fetch(`${fleet.simulator.url}/admin/faults`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`the simulator refused a fault: ${await answer.text()}`);
}

/** All steps in turn, each session beginning elsewhere. */
const stepMs = (turn: number, session: number): number =>
  STEP_MS * (1 + ((turn + (session * STEPS) / LANES.length) % STEPS));

export const providerDrop: Scenario = {
  name: "provider-drop",
  about: "the provider's connection breaks after every 200 ms of a 10 s utterance",
  ...{ system, load, unprotected },
  promises: {},
  ...onEach((turn, session) => ({ fault: "drop-after-audio", afterMs: Math.round(stepMs(turn, session)) })),
};

export const providerHang: Scenario = {
  name: "provider-hang",
  about: "the provider stops in mid-utterance without a word, at every 200 ms",
  ...{ system, load, unprotected },
  promises: {},
  ...onEach((turn, session) => ({
    fault: "stall-mid-segment",
    afterMs: Math.round(stepMs(turn, session)),
    forMs: 60_000,
  })),
};

export const providerSilent: Scenario = {
  name: "provider-silent",
  about: 'the provider says "final" without one sample, or nothing at all',
  ...{ system, load },
  unprotected: {
    about: "an utterance without audio is not tried again (WORKER_CONTINUE=off)",
    system: unprotected.system,
  },
  promises: {},
  ...onEach((turn) =>
    turn % 2 === 0 ? { fault: "quota-silence" } : { fault: "stall-before-audio", forMs: 60_000 },
  ),
};
