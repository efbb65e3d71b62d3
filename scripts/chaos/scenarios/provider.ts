import { intoWords, LONG_TEXTS, VOICES } from "../listener/texts.ts";
import type { Scenario, Stage } from "../scenario.ts";

const STEP_MS = 200;
const STEPS = 50;
/** Longer than anybody waits. */
const STALL_MS = 60_000;

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
const load = { sessions: LANES.length, maxSessions: LANES.length, delivery: "burst", resume: true } as const;
const unprotected = {
  about: "an utterance whose provider fails in its middle is not continued (CONTINUATIONS_MAX=0)",
  system: { env: { ...system.env, worker: { ...system.env.worker, CONTINUATIONS_MAX: "0" } } },
} as const;

interface OrderedFault {
  readonly fault: string;
  readonly afterMs?: number;
  readonly forMs?: number;
}

/** One fault per utterance, on the first connections that it gets. */
const onEach =
  (fault: (turn: number, session: number) => OrderedFault): NonNullable<Scenario["before"]> =>
  async (stage, session, turn, { voice }) => {
    if (stage.enough) return;
    const ordered = fault(turn, session);
    await order(stage, { ...ordered, voice, connections: 1 });
    stage.struck(ordered.fault);
  };

/** The same long text again and again, whole and word by word. */
const text: NonNullable<Scenario["text"]> = (session, turn) => {
  const voice = LANES[session % LANES.length] ?? VOICES.en[0];
  const spoken = LONG_TEXTS[session % LANES.length < VOICES.en.length ? "en" : "de"];
  return { voice, text: spoken, pieces: turn % 2 === 0 ? [spoken] : intoWords(spoken) };
};

const harm: Scenario["harm"] = (stage) => stage.ended(Number.POSITIVE_INFINITY);

async function order({ fleet }: Stage, body: object): Promise<void> {
  const answer = await fetch(`${fleet.simulator.url}/admin/faults`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`the simulator refused a fault: ${await answer.text()}`);
}

/** All steps in turn, each session beginning elsewhere. */
const afterMs = (turn: number, session: number): number =>
  STEP_MS * (1 + ((turn + Math.round((session * STEPS) / LANES.length)) % STEPS));

export const providerDrop: Scenario = {
  name: "provider-drop",
  about: "the provider's connection breaks after every 200 ms of a 10 s utterance",
  system,
  load,
  unprotected,
  text,
  harm,
  promises: {},
  before: onEach((turn, session) => ({ fault: "drop-after-audio", afterMs: afterMs(turn, session) })),
};

export const providerHang: Scenario = {
  name: "provider-hang",
  about: "the provider stops in mid-utterance without a word, at every 200 ms",
  system,
  load,
  unprotected,
  text,
  harm,
  promises: {},
  before: onEach((turn, session) => ({
    fault: "stall-mid-segment",
    afterMs: afterMs(turn, session),
    forMs: STALL_MS,
  })),
};

const silence = (turn: number): OrderedFault =>
  turn % 2 === 0 ? { fault: "quota-silence" } : { fault: "stall-before-audio", forMs: STALL_MS };

export const providerSilent: Scenario = {
  name: "provider-silent",
  about: 'the provider says "final" without one sample, or nothing at all',
  system,
  load,
  text,
  harm,
  promises: {},
  before: onEach(silence),
  unprotected: {
    about: "a provider that failed before its first audio is not asked again (PROVIDER_RETRIES=0)",
    system: { env: { ...system.env, worker: { ...system.env.worker, PROVIDER_RETRIES: "0" } } },
  },
};
