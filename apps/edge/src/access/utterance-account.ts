import type { UsageLedger } from "@tts-labs/core/access/usage-ledger";
import type { BackgroundWork } from "../background-work.ts";
import type { Caller } from "./caller.ts";

export interface AccountOptions {
  readonly ledger: Pick<UsageLedger, "note" | "close">;
  readonly caller: Caller;
  readonly utteranceId: string;
  readonly background: BackgroundWork;
  readonly createdAtMs: number;
}

/** How an utterance ended, as its tenant's ledger counts it. */
export interface AccountEnd {
  readonly asked: number;
  /** Of these, found in the cache or heard from another. */
  readonly cached: number;
  /** No sound of it was made, and it failed: all that was asked was refused. */
  readonly isRefused: boolean;
  readonly delivered: number;
  readonly heard: number;
}

/**
 * One utterance in its tenant's ledger: noted with its first text, kept current as text comes, closed when it ends. The
 * notes leave with the commands of the same turn of the event loop and are waited for by nothing; while one is on its
 * way, the next waits and tells the newest state.
 */
export class UtteranceAccount {
  readonly #options: AccountOptions;
  #asked = 0;
  #cached = 0;
  #noted = "";
  #isNoting = false;
  #isOver = false;

  constructor(options: AccountOptions) {
    this.#options = options;
  }

  /** So much text was given, and so much of it was found in the cache. */
  asked(asked: number, cached: number): void {
    this.#asked = asked;
    this.#cached = cached;
    if (!this.#isNoting) this.#options.background.add("account noted", this.#note());
  }

  /** May be called twice. */
  ended({ asked, cached: found, isRefused, delivered, heard }: AccountEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { ledger, caller, utteranceId, background } = this.#options;
    const cached = isRefused ? 0 : Math.min(asked, found);
    const refused = isRefused ? asked : 0;
    const synthesized = asked - cached - refused;
    const spoken = { delivered, heard: Math.min(heard, delivered) };
    const usage = { asked, synthesized, cached, refused, utterances: 1, ...spoken };
    background.add("account closed", ledger.close(caller.tenant, utteranceId, usage));
  }

  async #note(): Promise<void> {
    const { ledger, caller, utteranceId, createdAtMs } = this.#options;
    this.#isNoting = true;
    try {
      for (;;) {
        const [asked, cached] = [this.#asked, this.#cached];
        const state = `${asked} ${cached}`;
        if (state === this.#noted || this.#isOver) return;
        this.#noted = state;
        await ledger.note(caller.tenant, utteranceId, { asked, cached, openedAtMs: createdAtMs });
      }
    } finally {
      this.#isNoting = false;
    }
  }
}

export interface LedgerServices {
  /** Absent where there are no tenants. */
  readonly ledger?: Pick<UsageLedger, "note" | "close">;
  readonly background: BackgroundWork;
}

/** Text that was asked for and not taken counts in its tenant's ledger as well. */
export function accountRefused(
  { ledger, background }: LedgerServices,
  { tenant }: Caller,
  text: string,
): void {
  if (ledger === undefined || tenant === "") return;
  const { length: asked } = text;
  const none = { synthesized: 0, cached: 0, delivered: 0, heard: 0, utterances: 0 };
  background.add("refusal accounted", ledger.close(tenant, "", { asked, refused: asked, ...none }));
}
