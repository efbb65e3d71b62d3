import { Redis } from "ioredis";
import { guardLink } from "./link-guard.ts";

/** What a sentinel tells all who listen: `<name> <old host> <old port> <new host> <new port>`. */
const CHANNEL = "+switch-master";

export interface FollowFailoverOptions {
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  /** The name under which sentinels know the primary. */
  readonly name: string;
  readonly reconnectDelayMs: (attempt: number) => number;
  /** Silence after which a sentinel's connection is made anew; 0: never. */
  readonly deadAfterMs: number;
}

/**
 * Cuts a connection as soon as its sentinels have put another primary in place, since the old one may go on answering
 * for a while. Nothing is left of it once the connection has ended.
 *
 * ioredis can do this by itself (`failoverDetector`), but where the news comes while it asks for the primary, which
 * it does all the time while that is dead, it gives the connection up for ever, without a word.
 */
export function followFailover(connection: Redis, options: FollowFailoverOptions): void {
  const { sentinels, name, reconnectDelayMs, deadAfterMs } = options;
  const onMessage = (_channel: string, message: string) => {
    const [of, , , host, port] = message.split(" ");
    if (of === name) leave(connection, `${host}:${port}`);
  };
  const listeners = sentinels.map(({ host, port }) => {
    const listener = new Redis({
      host,
      port,
      retryStrategy: reconnectDelayMs,
      enableReadyCheck: false,
      maxRetriesPerRequest: null,
      autoResubscribe: false,
    });
    // One that is away is asked again; what is to be heard is heard from the others.
    listener.on("error", () => {});
    listener.on("ready", () => listener.subscribe(CHANNEL).catch(() => undefined));
    listener.on("message", onMessage);
    guardLink(listener, deadAfterMs);
    return listener;
  });
  connection.once("end", () => {
    for (const listener of listeners) listener.disconnect();
  });
}

/** Unless it is at the new primary already: each sentinel tells, some of them seconds later. */
function leave(connection: Redis, primary: string): void {
  const { status, stream } = connection;
  if (status === "ready" || status === "connect") {
    const isThere = `${stream.remoteAddress}:${stream.remotePort}` === primary;
    if (!isThere) connection.disconnect(true);
  } else if (status === "connecting") {
    // Perhaps to the old one: what it was told may be older than the news.
    const onReady = () => leave(connection, primary);
    connection.once("ready", onReady);
    connection.once("close", () => connection.off("ready", onReady));
  }
}
