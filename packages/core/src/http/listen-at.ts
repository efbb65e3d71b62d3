import type { Server } from "node:net";
import { GatewayError } from "@tts-labs/protocol/errors";

export interface ListenAddress {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** The variable that sets the port, for the error that says what to change. */
  readonly variable: string;
}

/** Why one can't listen there, and what to do: for a port that is taken, or is not ours to take. */
export function cannotListen({ host, port, variable }: ListenAddress, code = "EADDRINUSE"): GatewayError {
  const what =
    code === "EADDRINUSE"
      ? `Port ${port} is taken on ${host}: end what listens there, or choose another by ${variable}.`
      : `Can't listen on ${host}:${port} (${code}): choose another port by ${variable}.`;
  return new GatewayError("config.invalid", what);
}

/** @throws GatewayError `config.invalid` */
export function listenAt(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", ({ code }: NodeJS.ErrnoException) => reject(cannotListen(address, code)));
    server.listen(address.port, address.host, resolve);
  });
}
