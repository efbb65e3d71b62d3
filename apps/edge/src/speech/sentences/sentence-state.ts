/**
 * Whether sentences of an utterance are begun before they are read.
 *
 *   far ──came-near──▶ near (catching up ⇄ ahead) ──over──▶ over
 *
 * An utterance that is far from its turn leaves its sentences as text. One that goes on over another connection catches
 * up first: none is begun before it is read while the client may have heard of it.
 */
export type SentenceState =
  | { readonly kind: "far"; readonly isCaughtUp: boolean }
  | { readonly kind: "near"; readonly isCaughtUp: boolean }
  | { readonly kind: "over" };

export type SentenceEvent =
  | { readonly kind: "came-near" }
  /** A sentence is about to be read; `isNew` when the client has heard nothing of it. */
  | { readonly kind: "reading"; readonly isNew: boolean }
  | { readonly kind: "over" };

export const FAR: SentenceState = { kind: "far", isCaughtUp: false };

/** The state after `event`, or `state` itself where the event changes nothing. */
export function nextSentenceState(state: SentenceState, event: SentenceEvent): SentenceState {
  if (state.kind === "over") return state;
  switch (event.kind) {
    case "came-near":
      return state.kind === "far" ? { kind: "near", isCaughtUp: state.isCaughtUp } : state;
    case "reading":
      return state.isCaughtUp === event.isNew ? state : { kind: state.kind, isCaughtUp: event.isNew };
    case "over":
      return { kind: "over" };
  }
}

/** Sentences behind the one that is read may be begun. */
export const runsAhead = (state: SentenceState): boolean => state.kind === "near" && state.isCaughtUp;
