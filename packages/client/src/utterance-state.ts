/**
 * The life of an utterance as its client sees it:
 *
 *   queued ──▶ opening ──▶ speaking ──▶ ended
 *      └──────────┴──────────┴──▶ cancelling ──▶ ended
 *
 * It is `opening` from its first text until the server names it, and `cancelling` from `cancel` until the server
 * agrees or the wait for it is over. One that the server has named and then lost is `opening` again. An utterance that
 * was never opened ends at once.
 */
export type UtteranceState =
  | { readonly kind: "queued" }
  | { readonly kind: "opening" }
  | { readonly kind: "speaking"; readonly name: UtteranceName }
  | { readonly kind: "cancelling"; readonly name?: UtteranceName }
  | { readonly kind: "ended"; readonly name?: UtteranceName };

export interface UtteranceName {
  readonly id: string;
  /** As in the header of audio frames. */
  readonly number: number;
}

export type UtteranceEvent =
  | { readonly kind: "opening-sent" }
  | { readonly kind: "started"; readonly name: UtteranceName }
  | { readonly kind: "lost" }
  | { readonly kind: "cancel" }
  | { readonly kind: "end" };

/** The state after `event`, or `state` itself where the event does not apply. */
export function nextUtteranceState(state: UtteranceState, event: UtteranceEvent): UtteranceState {
  if (state.kind === "ended") return state;
  switch (event.kind) {
    case "opening-sent":
      return state.kind === "queued" ? { kind: "opening" } : state;
    case "started":
      if (state.kind === "opening") return { kind: "speaking", name: event.name };
      return state.kind === "cancelling" && state.name === undefined
        ? { kind: "cancelling", name: event.name }
        : state;
    case "lost":
      return state.kind === "speaking" ? { kind: "opening" } : state;
    case "cancel":
      if (state.kind === "queued") return { kind: "ended" };
      return state.kind === "cancelling" ? state : { ...named(state), kind: "cancelling" };
    case "end":
      return { ...named(state), kind: "ended" };
  }
}

const named = (state: UtteranceState): { readonly name?: UtteranceName } =>
  "name" in state && state.name !== undefined ? { name: state.name } : {};
