import type { Credentials } from "../credentials.ts";
import type { Fault } from "../faults/faults.ts";
import { type ServiceError, serviceErrors } from "../faults/service-error.ts";
import type { Services } from "../services.ts";
import { passed } from "../timing.ts";
import { type ClientMessage, parseClientMessage } from "./client-message.ts";
import type { Connection } from "./connection.ts";
import type { SocketQuery } from "./socket-query.ts";

/** What the upgrade has shown. */
export interface SocketOptions {
  readonly query: SocketQuery | ServiceError;
  readonly credentials: Credentials;
  readonly fault: Fault | undefined;
}

export interface DoorListener {
  onMessage(message: ClientMessage): void;
  onMalformed(error: ServiceError): void;
  /** The client is to be told so, and its socket closed. */
  onRefused(error: ServiceError): void;
}

/**
 * What every socket passes before its text means anything. The upgrade always succeeds; a bad key is told at once, a
 * bad voice or query a little later, a missing key when the first message brings none either.
 */
export class SocketDoor {
  readonly #services: Services;
  readonly #connection: Connection;
  readonly #query: SocketQuery | ServiceError;
  readonly #listener: DoorListener;
  #credentials: Credentials;

  constructor(
    services: Services,
    connection: Connection,
    { query, credentials, fault }: SocketOptions,
    listener: DoorListener,
  ) {
    this.#services = services;
    this.#connection = connection;
    this.#query = fault?.name === "opening-error" ? serviceErrors.named(fault.errorName) : query;
    this.#credentials = credentials;
    this.#listener = listener;
  }

  /** Undefined where it is refused, or soon will be. */
  get query(): SocketQuery | undefined {
    return "message" in this.#query ? undefined : this.#query;
  }

  get idleMs(): number {
    return (this.query?.inactivitySeconds ?? this.#services.settings.idleTimeoutSeconds) * 1000;
  }

  /** Whether the client has shown a good key. */
  get isAdmitted(): boolean {
    return this.#credentials === "good";
  }

  open(): void {
    this.#connection.onMessage((data, isBinary) => this.#onMessage(data, isBinary));
    this.#judge();
  }

  /** Looks for the key in a message where there was none before. @returns whether the client has shown a good one */
  admit({ key }: ClientMessage): boolean {
    if (this.#credentials === "none") {
      if (key !== undefined) this.#credentials = this.#services.keyring.judgeKey(key);
      if (this.#credentials === "none") this.#listener.onRefused(serviceErrors.noKey());
      else this.#judge();
    }
    return this.isAdmitted;
  }

  #judge(): void {
    if (this.#credentials === "bad") this.#listener.onRefused(serviceErrors.invalidKey());
    else if (this.#credentials === "good") void this.#judgeQuery();
  }

  async #judgeQuery(): Promise<void> {
    if (!("message" in this.#query)) return;
    const { timing, signal } = this.#connection;
    if (await passed(timing.voiceCheckMs(), signal)) this.#listener.onRefused(this.#query);
  }

  #onMessage(data: string, isBinary: boolean): void {
    const { witness } = this.#connection;
    const message = isBinary
      ? { field: undefined, problem: "Binary messages are not understood." }
      : parseClientMessage(data);
    if ("problem" in message) {
      const { field, problem } = message;
      witness.received({ error: problem });
      witness.violation("malformed-message");
      this.#listener.onMalformed(
        field === undefined ? serviceErrors.malformed(problem) : serviceErrors.invalidSetting(field, problem),
      );
      return;
    }
    witness.received({
      ...(message.text === undefined ? {} : { text: message.text }),
      ...(message.flush ? { flush: true } : {}),
      ...(message.contextId === undefined ? {} : { context: message.contextId }),
      fields: message.fields,
    });
    this.#listener.onMessage(message);
  }
}
