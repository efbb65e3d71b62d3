/**
 * How far an edge has come with making an utterance as one.
 *
 *   unbegun ──begin──▶ making ──stop──▶ stopped
 *      │                  │                │
 *      └──────────────────┴──── leave ─────┴──▶ left
 */
export type WholeSpeechState =
  /** Its text is taken, and nothing else is done. */
  | { readonly kind: "unbegun" }
  /** It is being looked for, stored, or made. */
  | { readonly kind: "making" }
  /** It is wanted no more: what others do not hear too is taken back. */
  | { readonly kind: "stopped" }
  /** It goes on being made, for the connection that resumes the session. */
  | { readonly kind: "left" };

export type WholeSpeechEvent = "begin" | "stop" | "leave";

/** The state after `event`, or `state` itself where the event does not apply. */
export function nextWholeSpeechState(state: WholeSpeechState, event: WholeSpeechEvent): WholeSpeechState {
  switch (event) {
    case "begin":
      return state.kind === "unbegun" ? { kind: "making" } : state;
    case "stop":
      return isOver(state) ? state : { kind: "stopped" };
    case "leave":
      return state.kind === "left" ? state : { kind: "left" };
  }
}

/** Whether nothing may be begun for it any more. */
export const isOver = ({ kind }: WholeSpeechState): boolean => kind === "stopped" || kind === "left";
