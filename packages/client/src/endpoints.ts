/**
 * Where the servers are: `http://host:8006`, or its `ws://…/api/v1/stream`; several of them, taken in turn; or a
 * function that is asked before every connection.
 */
export type ServerAddress = string | URL | readonly (string | URL)[] | (() => string | URL);

/** Gives the address for each connection: the same one while it serves, the next one after it failed. */
export class Endpoints {
  readonly #address: ServerAddress;
  #at = 0;

  constructor(address: ServerAddress) {
    this.#address = address;
  }

  /** How many there are to try. */
  get count(): number {
    return isList(this.#address) ? this.#address.length : 1;
  }

  /** @throws RangeError when the list is empty */
  current(): string | URL {
    if (typeof this.#address === "function") return this.#address();
    if (!isList(this.#address)) return this.#address;
    const chosen = this.#address[this.#at % this.#address.length];
    if (chosen === undefined) throw new RangeError("the list of servers is empty");
    return chosen;
  }

  /** The current one has failed. */
  passOn(): void {
    this.#at++;
  }
}

const isList = (address: ServerAddress): address is readonly (string | URL)[] => Array.isArray(address);
