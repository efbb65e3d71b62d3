import { Redis } from "ioredis";

/** What a sentinel tells all who listen: `<name> <old host> <old port> <new host> <new port>`. */
const CHANNEL = "+switch-master";

export interface FollowFailoverOptions {
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  /** Under which they know the primary. */
  readonly name: string;
  readonly reconnectDelayMs: (attempt: number) => number;
}

/**
 * Cuts a connection as soon as its sentinels have put another primary in place, since the old one may go on answering
 * for a while. Nothing is left of it once the connection has ended.
 *
 * ioredis can do this by itself (`failoverDetector`), but where the news comes while it asks for the primary, which
 * it does all the time while that is dead, it gives the connection up for ever, without a word.
 */
export function followFailover(connection: Redis, options: FollowFailoverOptions): void {
  const { sentinels, name, reconnectDelayMs } = options;
  const onMessage = (_channel: string, message: string) => {
    if (message.startsWith(`${name} `)) cut(connection);
  };
  const listeners = sentinels.map(({ host, port }) => {
    const listener = new Redis({
      ...{ host, port, retryStrategy: reconnectDelayMs, enableReadyCheck: false },
      ...{ maxRetriesPerRequest: null, autoResubscribe: false },
    });
    // One that is away is asked again; what is to be heard is heard from the others.
    listener.on("error", () => {});
    listener.on("ready", () => listener.subscribe(CHANNEL).catch(() => undefined));
    listener.on("message", onMessage);
    return listener;
  });
  connection.once("end", () => {
    for (const listener of listeners) listener.disconnect();
  });
}

function cut(connection: Redis): void {
  const { status } = connection;
  if (status === "ready" || status === "connect") connection.disconnect(true);
  // Perhaps to the old one: what it was told may be older than the news.
  else if (status === "connecting") connection.once("ready", () => connection.disconnect(true));
}
