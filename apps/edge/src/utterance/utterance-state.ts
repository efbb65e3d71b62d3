/**
 * Where an utterance stands on the edge. Its story is told in `utterance.ts`.
 *
 *   queued ──turn──▶ awaiting-audio ──chunk──▶ speaking ──read──▶ delivering ──told──▶ held ──confirmed──▶ released
 *     └──────────────── failed ──────────────────┴───────────────────▲
 *
 * An end that is not kept for anyone leads from delivering to released. So do `cancelled` and `left`, from anywhere.
 */
export type UtteranceState =
  /** Earlier utterances of the session are being read. */
  | { readonly kind: "queued" }
  /** It has its turn, and none of its audio has come. */
  | { readonly kind: "awaiting-audio" }
  | { readonly kind: "speaking" }
  /** All of it has been read, or none more will be; its end waits behind its frames. */
  | { readonly kind: "delivering" }
  /** Its end was sent, and what the client may have missed is still in Redis. */
  | { readonly kind: "held" }
  /** This edge has nothing more to do with it. */
  | { readonly kind: "released" };

export type UtteranceStateEvent =
  | { readonly kind: "turn" }
  /** A chunk of its audio has come. */
  | { readonly kind: "chunk" }
  /** All of its audio has come, or as much as is still to be sent. */
  | { readonly kind: "read" }
  | { readonly kind: "failed" }
  /** Its end was given to the sink. `isKept`: a client that has missed it may come back for the rest. */
  | { readonly kind: "told"; readonly isKept: boolean }
  /** The client is known to have all of it. */
  | { readonly kind: "confirmed" }
  | { readonly kind: "cancelled" }
  /** It is left as it is, for the connection that resumes the session. */
  | { readonly kind: "left" };

/** The state after `event`, or `state` itself where the event does not apply. */
export function nextUtteranceState(state: UtteranceState, event: UtteranceStateEvent): UtteranceState {
  switch (event.kind) {
    case "turn":
      return state.kind === "queued" ? { kind: "awaiting-audio" } : state;
    case "chunk":
      return state.kind === "awaiting-audio" ? { kind: "speaking" } : state;
    case "read":
    case "failed":
      return isBeforeItsEnd(state) ? { kind: "delivering" } : state;
    case "told":
      return state.kind === "delivering" ? { kind: event.isKept ? "held" : "released" } : state;
    case "confirmed":
      return state.kind === "held" ? { kind: "released" } : state;
    case "cancelled":
    case "left":
      return state.kind === "released" ? state : { kind: "released" };
  }
}

/** Whether its audio may still be read. */
export const isBeforeItsEnd = ({ kind }: UtteranceState): boolean =>
  kind === "queued" || kind === "awaiting-audio" || kind === "speaking";

/** As the live view names it; `undefined` once its end was sent. */
export function toShownState({ kind }: UtteranceState): "queued" | "speaking" | "delivering" | undefined {
  if (kind === "held" || kind === "released") return undefined;
  return kind === "awaiting-audio" ? "queued" : kind;
}
