import { type Outcome, toOutcome } from "@tts-labs/core/session/utterance-result";
import { GatewayError } from "@tts-labs/protocol/errors";

/**
 * Where the run of an utterance stands. `attempt` counts provider sockets: all but the first are fresh.
 * Its story is told in `utterance-run.ts` and `run-attempts.ts`.
 */
export type RunState =
  /** The audio stream is being claimed and the first word awaited. */
  | { readonly kind: "starting" }
  /** `after` is what the choice before could not do; the slot is the next choice's. */
  | { readonly kind: "waiting-slot"; readonly progress: Progress; readonly after?: GatewayError }
  /** `after` is the fault that ended the attempt before. */
  | ({ readonly kind: "waiting-socket"; readonly after?: GatewayError } & Attempt)
  /** Text still comes. */
  | ({ readonly kind: "speaking"; readonly samples: number } & Attempt)
  /** The provider has been given all text and owes the rest of the audio and its "final". */
  | ({ readonly kind: "finishing"; readonly samples: number } & Attempt)
  | { readonly kind: "ended"; readonly outcome: Outcome }
  /** Another worker owns the utterance, or ended it before: the outcome has no addressee. */
  | { readonly kind: "abandoned" }
  /** This process is going away: another worker is to go on from what has been stored. */
  | { readonly kind: "handed-over" }
  /** Nothing is left to do until the client gives more text; then a worker is asked for again. */
  | { readonly kind: "parked" };

/** How far the utterance has come, other workers' part included. */
export interface Progress {
  /** Audio of it is stored: what failed is continued at the next word, not retried. */
  readonly heard: boolean;
  /** Fresh sockets that may still be tried while nothing has been heard. */
  readonly retriesLeft: number;
  /** How often it may still be continued. */
  readonly continuationsLeft: number;
  /**
   * What the first choice failed with, where a substitute speaks: the utterance fails with it, should that one fail
   * too.
   */
  readonly firstFault?: GatewayError;
}

interface Attempt {
  readonly attempt: number;
  readonly progress: Progress;
}

interface Elsewhere {
  readonly retries: number;
}

export type RunEvent =
  /** The first word has come. */
  | { readonly kind: "words"; readonly progress: Progress }
  /** The text is complete and holds nothing (more) to be said. */
  | { readonly kind: "nothing-to-say" }
  | { readonly kind: "slot" }
  /** A socket was had and given the text there was. */
  | { readonly kind: "socket"; readonly textComplete: boolean }
  | { readonly kind: "text-complete" }
  | { readonly kind: "audio"; readonly samples: number }
  /** The provider says that the utterance is complete. */
  | { readonly kind: "final" }
  /**
   * The provider or its socket failed, or gave no slot. `elsewhere`: another choice may do better, with retries of its
   * own.
   */
  | { readonly kind: "fault"; readonly error: GatewayError; readonly elsewhere?: Elsewhere }
  /** Stop now: cancelled, text timeout, storage, draining, lease lost … */
  | { readonly kind: "abort"; readonly error: GatewayError }
  /** An earlier worker has ended the utterance. */
  | { readonly kind: "found-ended" }
  | { readonly kind: "parked" };

/** The state after `event`, or `state` itself where the event does not apply. */
export function nextRunState(state: RunState, event: RunEvent): RunState {
  if (isOver(state)) return state;
  switch (event.kind) {
    case "words":
      return state.kind === "starting" ? { kind: "waiting-slot", progress: event.progress } : state;
    case "nothing-to-say":
      return state.kind === "starting" || state.kind === "waiting-socket" ? COMPLETED : state;
    case "slot":
      if (state.kind !== "waiting-slot") return state;
      return { ...state, kind: "waiting-socket", attempt: 1 };
    case "socket": {
      if (state.kind !== "waiting-socket") return state;
      const { attempt, progress } = state;
      return { kind: event.textComplete ? "finishing" : "speaking", attempt, progress, samples: 0 };
    }
    case "text-complete":
      return state.kind === "speaking" ? { ...state, kind: "finishing" } : state;
    case "audio":
      if (!withAudio(state) || event.samples === 0) return state;
      return {
        ...state,
        samples: state.samples + event.samples,
        progress: state.progress.heard ? state.progress : { ...state.progress, heard: true },
      };
    case "final":
      return afterFinal(state);
    case "fault":
      return afterFault(state, event);
    case "abort":
      return afterAbort(event.error);
    case "found-ended":
      return { kind: "abandoned" };
    case "parked":
      return { kind: "parked" };
  }
}

export type OverState = Extract<RunState, { kind: "ended" | "abandoned" | "handed-over" | "parked" }>;

export const isOver = (state: RunState): state is OverState =>
  state.kind === "ended" ||
  state.kind === "abandoned" ||
  state.kind === "handed-over" ||
  state.kind === "parked";

type AudioState = Extract<RunState, { kind: "speaking" | "finishing" }>;

const withAudio = (state: RunState): state is AudioState =>
  state.kind === "speaking" || state.kind === "finishing";

const COMPLETED: RunState = { kind: "ended", outcome: { kind: "completed" } };

function afterAbort(error: GatewayError): RunState {
  if (error.code === "lease.lost") return { kind: "abandoned" };
  return error.code === "draining" ? { kind: "handed-over" } : failed(error);
}

const failed = (error: GatewayError): RunState => ({ kind: "ended", outcome: toOutcome(error) });

/** "Final" is believed only when the provider had all the text and made sound of it. */
function afterFinal(state: RunState): RunState {
  if (!withAudio(state)) return state;
  if (state.kind === "speaking") return afterFault(state, { error: new GatewayError("provider.truncated") });
  if (state.samples === 0) return afterFault(state, { error: new GatewayError("provider.silent") });
  return COMPLETED;
}

interface Fault {
  readonly error: GatewayError;
  readonly elsewhere?: Elsewhere;
}

/**
 * Again on a fresh socket: from the start while nothing has been appended, as often as `retriesLeft`; after that from
 * the word being spoken, as often as is left. What no further try can mend is another choice's, or ends the utterance.
 */
function afterFault(state: RunState, fault: Fault): RunState {
  if (state.kind === "waiting-slot") return afterChoice(state.progress, fault);
  if (state.kind !== "waiting-socket" && !withAudio(state)) return state;
  const { attempt, progress } = state;
  const { error } = fault;
  // An open circuit stays open for longer than anybody listens to silence.
  if (!error.retryable || error.code === "provider.circuit_open") return afterChoice(progress, fault);
  const next = { kind: "waiting-socket", attempt: attempt + 1, after: error } as const;
  if (!progress.heard) {
    const retriesLeft = progress.retriesLeft - 1;
    return retriesLeft < 0
      ? afterChoice(progress, fault)
      : { ...next, progress: { ...progress, retriesLeft } };
  }
  const continuationsLeft = progress.continuationsLeft - 1;
  return continuationsLeft < 0
    ? afterChoice(progress, fault)
    : { ...next, progress: { ...progress, continuationsLeft } };
}

/** This choice has failed. A further one begins, or goes on at the next word, which counts as a continuation. */
function afterChoice(progress: Progress, { error, elsewhere }: Fault): RunState {
  const firstFault = progress.firstFault ?? error;
  const continuationsLeft = progress.continuationsLeft - (progress.heard ? 1 : 0);
  if (elsewhere === undefined || continuationsLeft < 0) return failed(firstFault);
  const { retries } = elsewhere;
  return {
    kind: "waiting-slot",
    after: error,
    progress: { ...progress, retriesLeft: retries, continuationsLeft, firstFault },
  };
}

/** The state of one run, moved on by all parts of it. */
export class RunStatus {
  #state: RunState = { kind: "starting" };
  #error: GatewayError | undefined;

  get state(): RunState {
    return this.#state;
  }

  /** What last went wrong, with its cause, whether it was mended or not. */
  get error(): GatewayError | undefined {
    return this.#error;
  }

  on(event: RunEvent): void {
    const before = this.#state;
    this.#state = nextRunState(before, event);
    if (this.#state !== before && (event.kind === "fault" || event.kind === "abort"))
      this.#error = event.error;
  }
}
