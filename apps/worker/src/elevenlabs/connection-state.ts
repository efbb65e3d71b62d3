import { GatewayError } from "@tts-labs/protocol/errors";
import { toCloseError } from "./errors/provider-error.ts";

/**
 * The life of one provider socket, which speaks at most one utterance:
 *
 *     connecting → warm → speaking → finishing → ended(outcome)
 *
 * `warm` is upgraded and opened, waiting in the pool. It is `speaking` from the moment it is taken, even
 * before the first text, and `finishing` once the end mark is sent. Only there is a final message right, and
 * only there does it mean success. From every state it may go to `ended`, and from there nowhere: what
 * a socket does after its end has no effect.
 */
export type SocketState =
  | { readonly kind: "connecting" }
  | { readonly kind: "warm" }
  | { readonly kind: "speaking"; readonly samples: number }
  | { readonly kind: "finishing"; readonly samples: number; readonly speakable: boolean }
  | { readonly kind: "ended"; readonly outcome: SocketOutcome };

export type SocketOutcome =
  | { readonly kind: "completed"; readonly samples: number }
  /** Let go unused. */
  | { readonly kind: "retired" }
  /** By the provider, by a deadline, or by us with a reason (`aborted`). */
  | {
      readonly kind: "failed";
      readonly error: GatewayError;
      readonly aborted: boolean;
      readonly phase: SocketPhase;
    };

/** How far it had come. */
export type SocketPhase = "connecting" | "warm" | "speaking";

export type SocketEvent =
  | { readonly kind: "opened" }
  | { readonly kind: "checked-out" }
  /** @property speakable something was sent that must be heard */
  | { readonly kind: "text-ended"; readonly speakable: boolean }
  | { readonly kind: "audio"; readonly samples: number }
  | { readonly kind: "final" }
  | { readonly kind: "failed"; readonly error: GatewayError }
  | { readonly kind: "closed"; readonly code: number; readonly reason: string }
  | { readonly kind: "aborted"; readonly reason: GatewayError }
  | { readonly kind: "retired" };

type LiveState = Exclude<SocketState, { readonly kind: "ended" }>;

/** The state after `event`, or `state` itself where the event does not apply. */
export function nextSocketState(state: SocketState, event: SocketEvent): SocketState {
  if (state.kind === "ended") return state;
  switch (event.kind) {
    case "opened":
      return state.kind === "connecting" ? { kind: "warm" } : state;
    case "checked-out":
      return state.kind === "warm" ? { kind: "speaking", samples: 0 } : state;
    case "text-ended":
      return state.kind === "speaking"
        ? { kind: "finishing", samples: state.samples, speakable: event.speakable }
        : state;
    case "audio":
      if (state.kind === "speaking" || state.kind === "finishing") {
        return { ...state, samples: state.samples + event.samples };
      }
      return failed(
        state,
        new GatewayError("provider.fault", "The provider spoke before it was given text."),
      );
    case "final":
      return finished(state);
    case "failed":
      return failed(state, event.error);
    case "closed":
      return failed(state, closeError(state, event));
    case "aborted":
      return failed(state, event.reason, true);
    case "retired":
      return { kind: "ended", outcome: { kind: "retired" } };
  }
}

function finished(state: LiveState): SocketState {
  if (state.kind !== "finishing") {
    return failed(
      state,
      new GatewayError("provider.truncated", "The provider ended before the text was complete."),
    );
  }
  if (state.speakable && state.samples === 0) return failed(state, new GatewayError("provider.silent"));
  return { kind: "ended", outcome: { kind: "completed", samples: state.samples } };
}

function closeError(
  state: LiveState,
  { code, reason }: { readonly code: number; readonly reason: string },
): GatewayError {
  const error = toCloseError(code, reason);
  if (error.code !== "provider.truncated") return error;
  if (state.kind === "connecting") return new GatewayError("provider.connect_failed");
  if (state.kind === "warm")
    return new GatewayError("provider.idle_closed", undefined, { facts: error.facts });
  return error;
}

const failed = (state: LiveState, error: GatewayError, aborted = false): SocketState => ({
  kind: "ended",
  outcome: { kind: "failed", error, aborted, phase: state.kind === "finishing" ? "speaking" : state.kind },
});
