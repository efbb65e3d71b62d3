import type { Keyring } from "./credentials.ts";
import type { FaultBoard } from "./faults/fault-board.ts";
import type { Slots } from "./slots.ts";
import type { BoundedMemo } from "./speech/bounded-memo.ts";
import type { SpeechEngine } from "./speech/engine.ts";
import type { TimingSettings } from "./timing.ts";
import type { Generation } from "./wire/audio-messages.ts";
import type { Witness } from "./witness.ts";

/** What the dialects need of the configuration. */
export interface ServiceSettings extends TimingSettings {
  readonly idleTimeoutSeconds: number;
  readonly pingMs: number;
  readonly maxConnections: number;
}

/** What the dialects share; built by `main.ts`. */
export interface Services {
  readonly settings: ServiceSettings;
  readonly engine: SpeechEngine;
  readonly keyring: Keyring;
  readonly faults: FaultBoard;
  readonly slots: Slots;
  readonly witness: Witness;
  /** Encoded messages of generations: what many ask for is encoded once. */
  readonly encoded: BoundedMemo<Generation>;
}
