import {
  App,
  type ListenOptions,
  SSLApp,
  type TemplatedApp,
  type us_listen_socket,
  us_listen_socket_close,
  us_socket_local_port,
} from "uWebSockets.js";
import { cannotListen, type ListenAddress } from "@tts-labs/core/http/listen-at";
import { GatewayError } from "@tts-labs/protocol/errors";

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

/** A certificate with its chain, and its key: files in PEM. */
export interface TlsFiles {
  readonly tlsCertFile: string | undefined;
  readonly tlsKeyFile: string | undefined;
}

/** A server that speaks TLS where files are given. @throws GatewayError `config.invalid` where they can't be used */
export function openApp({ tlsCertFile, tlsKeyFile }: TlsFiles): TemplatedApp {
  if (tlsCertFile === undefined && tlsKeyFile === undefined) return App();
  if (tlsCertFile === undefined || tlsKeyFile === undefined) {
    throw new GatewayError(
      "config.invalid",
      "TLS takes both TLS_CERT_FILE and TLS_KEY_FILE: set the other, too.",
    );
  }
  try {
    return SSLApp({ cert_file_name: tlsCertFile, key_file_name: tlsKeyFile });
  } catch (cause) {
    throw new GatewayError(
      "config.invalid",
      "TLS_CERT_FILE and TLS_KEY_FILE must name a certificate in PEM and the key that belongs to it, readable by this program.",
      { cause },
    );
  }
}

/** @throws GatewayError `config.invalid` when the port is taken */
export async function listenOn(
  app: TemplatedApp,
  address: ListenAddress,
  scheme: "http" | "https" = "http",
): Promise<Listener> {
  const socket = await listenExclusively(app, address);
  const { host } = address;
  const port = us_socket_local_port(socket);
  let isListening = true;
  let isOpen = true;
  return {
    url: `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`,
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
