import {
  type ListenOptions,
  type TemplatedApp,
  type us_listen_socket,
  us_listen_socket_close,
  us_socket_local_port,
} from "uWebSockets.js";
import { cannotListen, type ListenAddress } from "@tts-labs/core/http/listen-at";

/** The typings have the value only as an enum, which has no code behind it. */
const EXCLUSIVE_PORT = 1 as ListenOptions.LIBUS_LISTEN_EXCLUSIVE_PORT;

/** One port and what is connected to it. */
export interface Listener {
  readonly url: string;
  readonly port: number;
  /** No new connections; those there are go on. May be called twice. */
  stopListening(): void;
  /** Ends every connection at once. May be called twice. */
  close(): void;
}

/** @throws GatewayError `config.invalid` when the port is taken */
export async function listenOn(app: TemplatedApp, address: ListenAddress): Promise<Listener> {
  const socket = await listenExclusively(app, address);
  const { host } = address;
  const port = us_socket_local_port(socket);
  let isListening = true;
  let isOpen = true;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    port,
    stopListening: () => {
      if (isListening) us_listen_socket_close(socket);
      isListening = false;
    },
    close: () => {
      if (isOpen) app.close();
      isListening = false;
      isOpen = false;
    },
  };
}

/** uWS shares a port with other processes unless told not to: a stale edge would take part of the connections. */
function listenExclusively(app: TemplatedApp, address: ListenAddress): Promise<us_listen_socket> {
  const { host, port } = address;
  // The typings know three of its four parameters.
  const listen = app.listen.bind(app) as unknown as (
    host: string,
    port: number,
    flags: number,
    onListening: (socket: us_listen_socket | false) => void,
  ) => void;
  return new Promise((resolve, reject) => {
    listen(host, port, EXCLUSIVE_PORT, (socket) => {
      if (socket !== false) resolve(socket);
      else reject(cannotListen(address));
    });
  });
}
