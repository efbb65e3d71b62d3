import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../../testkit/ground/random.ts";
import type { LoadPlan } from "../scenario.ts";
import type { HeardUtterance } from "./heard.ts";
import { ResumingClient } from "./resuming-client.ts";
import type { SpokenText } from "./texts.ts";

export interface LoadOptions extends LoadPlan {
  readonly url: string;
  /** Spoken in all, at least; the last words of each session come on top. */
  readonly utterances: number;
  readonly random: Random;
  readonly text: (session: number, turn: number) => SpokenText;
  readonly before: (session: number, turn: number, spoken: SpokenText) => Promise<void>;
  readonly onEnded: () => void;
  /** Whether the harm is over: until then there is always something being spoken. */
  readonly isCalm: () => boolean;
  readonly signal: AbortSignal;
}

export interface LoadResult {
  readonly heard: readonly HeardUtterance[];
  /** Sessions whose last words, when all harm was over, did not come through. */
  readonly sessionsNotGoingOn: number;
  readonly reconnections: number;
}

/** Time without any sign of an unfinished utterance after which no client would wait longer. */
const STUCK_AFTER_MS = 20_000;
const LOOK_EVERY_MS = 250;
/** Sessions start one after the other within this time. */
const START_WITHIN_MS = 1_500;
/** Last words are tried so often: an error right after the harm may still be told, and is retryable. */
const LAST_WORDS_ATTEMPTS = 3;

/** Sessions that speak one utterance after the other until enough has been said and the harm is over. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const heard: HeardUtterance[] = [];
  let asked = 0;
  let notGoingOn = 0;
  let reconnections = 0;

  const speak = async (client: ResumingClient, session: number, turn: number): Promise<HeardUtterance> => {
    const spoken = options.text(session, turn);
    await options.before(session, turn, spoken);
    const utterance = client.speak(spoken);
    heard.push(utterance);
    await endOf(utterance, options.signal);
    options.onEnded();
    return utterance;
  };

  const converse = async (session: number): Promise<void> => {
    await sleep((START_WITHIN_MS * session) / options.sessions);
    const { url, delivery, resume } = options;
    const random = () => options.random.next();
    const client = await ResumingClient.connect({ url, session, delivery, resume, random });
    try {
      let turn = 0;
      for (; asked < options.utterances || !options.isCalm(); turn += 1) {
        options.signal.throwIfAborted();
        asked += 1;
        const { end } = await speak(client, session, turn);
        if (end?.kind === "stuck") return;
        if (end?.kind !== "completed") await sleep(AFTER_FAILURE_MS);
      }
      if (!(await saysLastWords(client, session, turn))) notGoingOn += 1;
    } finally {
      client.close();
      reconnections += client.reconnections;
    }
  };

  const saysLastWords = async (client: ResumingClient, session: number, turn: number): Promise<boolean> => {
    for (let attempt = 0; attempt < LAST_WORDS_ATTEMPTS; attempt += 1) {
      const { end } = await speak(client, session, turn + attempt);
      if (end?.kind === "completed") return true;
      if (end?.kind === "stuck") return false;
      await sleep(AFTER_FAILURE_MS);
    }
    return false;
  };

  await Promise.all(Array.from({ length: options.sessions }, (_, session) => converse(session)));
  return { heard, sessionsNotGoingOn: notGoingOn, reconnections };
}

/** As a sensible client waits before it tries again. */
const AFTER_FAILURE_MS = 300;

/** Any end counts; a silent utterance is called stuck. */
async function endOf(heard: HeardUtterance, signal: AbortSignal): Promise<void> {
  const watch = setInterval(() => {
    const isSilent = performance.now() - heard.lastSignAtMs > STUCK_AFTER_MS;
    if (isSilent || signal.aborted) heard.finish({ kind: "stuck" });
  }, LOOK_EVERY_MS);
  await heard.ended;
  clearInterval(watch);
}
