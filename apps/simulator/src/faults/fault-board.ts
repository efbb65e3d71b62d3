import { type Fault, isListingFault } from "./faults.ts";

/** Orders at a time; beyond it a new one is refused. */
const MAX_ORDERS = 100;
/** Connections one order may cover. */
export const MAX_FAULTY_CONNECTIONS = 100_000;

interface Order {
  readonly fault: Fault;
  readonly voice: string | undefined;
  left: number;
}

/** Faults ordered for the next connections, in the order in which they were given. */
export class FaultBoard {
  #orders: Order[] = [];

  /** @throws RangeError when `connections` or the number of orders is out of bounds */
  order(fault: Fault, connections: number, voice?: string): void {
    if (!Number.isInteger(connections) || connections < 1 || connections > MAX_FAULTY_CONNECTIONS) {
      throw new RangeError(`connections must be a whole number from 1 to ${MAX_FAULTY_CONNECTIONS}`);
    }
    if (this.#orders.length >= MAX_ORDERS) throw new RangeError(`there are ${MAX_ORDERS} orders already`);
    this.#orders.push({ fault, voice, left: connections });
  }

  /** The fault of a connection that begins now, for `voice`. */
  take(voice: string): Fault | undefined {
    return this.#take(
      ({ fault, ...order }) =>
        !isListingFault(fault.name) && (order.voice === undefined || order.voice === voice),
    );
  }

  /** The fault of a list of voices that is asked for now. */
  takeForListing(): Fault | undefined {
    return this.#take(({ fault }) => isListingFault(fault.name));
  }

  #take(isMeant: (order: Order) => boolean): Fault | undefined {
    const order = this.#orders.find(isMeant);
    if (order === undefined) return undefined;
    order.left--;
    if (order.left === 0) this.#orders = this.#orders.filter((one) => one !== order);
    return order.fault;
  }

  clear(): void {
    this.#orders = [];
  }

  pending(): readonly { readonly fault: Fault; readonly voice: string | undefined; readonly left: number }[] {
    return this.#orders.map((order) => ({ ...order }));
  }
}
