import { type ErrorCode, GatewayError } from "@tts-labs/protocol/errors";

/** How an utterance ended; the `result` of its audio stream's end. */
export interface UtteranceResult {
  readonly outcome: Outcome;
  /** Samples appended in all. */
  readonly samples: number;
  /** Characters of text the provider was given. */
  readonly characters: number;
  /**
   * The provider that spoke it, see `toProviderIdentity`; absent where a substitute did, or it was not spoken in one go
   * to its "final". What names none is not cached.
   */
  readonly provider?: string;
}

export type Outcome =
  | { readonly kind: "completed" }
  | { readonly kind: "cancelled" }
  | {
      readonly kind: "failed";
      readonly code: ErrorCode;
      readonly message: string;
      readonly retryable: boolean;
      readonly retryAfterMs?: number;
      readonly facts?: Readonly<Record<string, string | number | boolean>>;
    };

export const encodeUtteranceResult = (result: UtteranceResult): string => JSON.stringify(result);

export const parseUtteranceResult = (result: string): UtteranceResult =>
  JSON.parse(result) as UtteranceResult;

/** The outcome that tells of `error`; its cause stays behind, in the worker's log. */
export function toOutcome(error: GatewayError): Outcome {
  if (error.family === "cancelled") return { kind: "cancelled" };
  return {
    kind: "failed",
    code: error.code,
    message: error.message,
    retryable: error.retryable,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    ...(Object.keys(error.facts).length === 0 ? {} : { facts: error.facts }),
  };
}

/** The error that an outcome tells of, on the reader's side. */
export function toOutcomeError(outcome: Outcome): GatewayError | undefined {
  if (outcome.kind === "completed") return undefined;
  if (outcome.kind === "cancelled") return new GatewayError("cancelled.by_client");
  return new GatewayError(outcome.code, outcome.message, {
    retryable: outcome.retryable,
    ...(outcome.retryAfterMs === undefined ? {} : { retryAfterMs: outcome.retryAfterMs }),
    ...(outcome.facts === undefined ? {} : { facts: outcome.facts }),
  });
}
