import { monotonicMs } from "@tts-labs/core/async/lazy-timer";
import type { Circuit } from "@tts-labs/core/breaker/circuit";
import type { GatewayError } from "@tts-labs/protocol/errors";

/**
 * Which of the provider's keys are worth asking with. A key's *circuit* is open when the provider fails
 * (shared by all workers); a key *rests* when the provider refuses it or its quota is used up, which only
 * this worker remembers, since the next to ask is told the same at once.
 */
export class ProviderHealth {
  readonly #circuits: ReadonlyMap<string, Circuit>;
  readonly #restMs: number;
  readonly #restingUntilMs = new Map<string, number>();

  /** @param circuits by key id; at least one */
  constructor(circuits: ReadonlyMap<string, Circuit>, restMs: number) {
    this.#circuits = circuits;
    this.#restMs = restMs;
  }

  circuit(keyId: string | undefined): Circuit {
    const [first] = this.#circuits.values();
    const circuit = (keyId === undefined ? undefined : this.#circuits.get(keyId)) ?? first;
    if (circuit === undefined) throw new RangeError("a provider has at least one key");
    return circuit;
  }

  /** A slot of this key may be handed out: its circuit is closed or due for a probe, and it does not rest. */
  mayServe(keyId: string): boolean {
    return this.circuit(keyId).retryInMs === 0 && !this.#isResting(keyId);
  }

  /** Sockets may be opened ahead: a probe is one request, and no socket more. */
  mayWarm(keyId: string): boolean {
    return this.circuit(keyId).isClosed && !this.#isResting(keyId);
  }

  /** Without another key there is no rest: each request is told what is wrong. */
  rest(keyId: string | undefined): void {
    if (keyId !== undefined && this.hasOtherThan(keyId)) {
      this.#restingUntilMs.set(keyId, monotonicMs() + this.#restMs);
    }
  }

  hasOtherThan(keyId: string | undefined): boolean {
    return keyId !== undefined && this.#circuits.size > 1;
  }

  /** The reason why no key can serve now, if there is one: `provider.circuit_open` with the shortest wait. */
  get refusal(): GatewayError | undefined {
    const [soonest] = [...this.#circuits.values()].sort((a, b) => a.retryInMs - b.retryInMs);
    return soonest === undefined || soonest.retryInMs === 0 ? undefined : soonest.toOpenError();
  }

  /** Called after each change of a circuit. @returns what ends it */
  onChange(listener: () => void): () => void {
    const ends = [...this.#circuits.values()].map((circuit) => circuit.onChange(listener));
    return () => {
      for (const end of ends) end();
    };
  }

  /** When all keys rest, none does: one of them tells why. */
  #isResting(keyId: string): boolean {
    const nowMs = monotonicMs();
    const isResting = (id: string) => nowMs < (this.#restingUntilMs.get(id) ?? 0);
    return isResting(keyId) && ![...this.#circuits.keys()].every(isResting);
  }
}
