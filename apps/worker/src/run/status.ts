import type { GatewayError } from "@tts-labs/protocol/errors";
import { nextRunState, type RunEvent, type RunState } from "./run-state.ts";

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
