import { GatewayError } from "@tts-labs/protocol/errors";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import type { Logger } from "../logger.ts";
import { followFailover } from "./follow-failover.ts";
import { guardLink } from "./link-guard.ts";
import { logQuietly } from "./quiet-errors.ts";

export { Cluster };
export type RedisConnection = Redis | Cluster;

/**
 * What a connection is for decides how it meets trouble:
 * - `commands`: every command settles within `COMMAND_TIMEOUT_MS`; nothing is sent again behind our back, since a
 *   command sent twice or late is a reordered stream. The caller decides whether to repeat.
 * - `queue`: BullMQ's; its blocking commands wait as long as `MAX_BLOCK_MS`, and it repeats by itself.
 * - `subscriber`: may be silent for ever; a subscriber subscribes again at each `ready`, as the bell does.
 *
 * All of them are guarded against links that die without being closed: see `LinkGuard`.
 */
export type ConnectionPurpose = "commands" | "queue" | "subscriber";

/** Longest a command waits for its answer, connecting included; then it fails with `storage.timeout`. */
export const COMMAND_TIMEOUT_MS = 2_000;
/** A connection that has been silent for this long, PINGs notwithstanding, is cut and made anew. */
export const DEAD_AFTER_MS = 4_000;
const CONNECT_TIMEOUT_MS = 3_000;
/** Interval at which a cluster's map is asked for even when no command is redirected. */
const SLOTS_REFRESH_INTERVAL_MS = 10_000;
const CLOSE_TIMEOUT_MS = 1_000;

export interface OpenRedisOptions {
  /**
   * `redis://[user:password@]host:port[/db]`, `rediss://…`, `redis-cluster://[user:password@]h1:p1,h2:p2`, or
   * `redis-sentinel://[user:password@]h1:p1,h2:p2/<name of the primary>`, where the credentials are the primary's; or
   * `unix:///path/of/redis.sock`.
   */
  readonly url: string;
  readonly purpose: ConnectionPurpose;
  readonly logger: Logger;
  readonly commandTimeoutMs?: number;
  /** Default `DEAD_AFTER_MS`; 0: a dead link is never cut. */
  readonly deadAfterMs?: number;
}

/**
 * Connects in the background and keeps reconnecting until closed; commands given before it is ready wait,
 * within their timeout. @throws GatewayError `config.invalid` for a URL that can't be read
 */
export function openRedis(options: OpenRedisOptions): RedisConnection {
  const address = parseRedisUrl(options.url);
  const connection = connect(options, address);
  coverDuplicates(connection, options, address);
  const onError = logQuietly(options.logger, "redis connection failed", { purpose: options.purpose });
  connection.on("error", onError);
  connection.on("node error", onError);
  return connection;
}

/** Guards the connection, and those that BullMQ makes by duplicating it: it waits for jobs on one of them. */
function coverDuplicates(
  connection: RedisConnection,
  { deadAfterMs = DEAD_AFTER_MS }: OpenRedisOptions,
  address: RedisAddress,
): void {
  const guard = guardLink(connection, deadAfterMs);
  if (isCluster(connection)) {
    const duplicate = connection.duplicate.bind(connection);
    connection.duplicate = (nodes, override) => {
      const copy = keepMapped(duplicate(nodes, override));
      guard.cover(copy);
      return copy;
    };
    return;
  }
  const duplicate = connection.duplicate.bind(connection);
  connection.duplicate = (override) => {
    const copy = duplicate(override);
    if (address.kind === "sentinel") followPrimary(copy, address, deadAfterMs);
    guard.cover(copy);
    return copy;
  };
}

function connect(options: OpenRedisOptions, address: RedisAddress): RedisConnection {
  switch (address.kind) {
    case "single":
      return new Redis(options.url, { ...nodeOptions(options), retryStrategy: reconnectDelayMs });
    case "sentinel": {
      const { nodes: sentinels, name } = address;
      const connection = new Redis({
        ...nodeOptions(options),
        ...credentialsOf(address),
        sentinels: [...sentinels],
        name,
        retryStrategy: reconnectDelayMs,
        sentinelRetryStrategy: reconnectDelayMs,
        sentinelCommandTimeout: COMMAND_TIMEOUT_MS,
      });
      followPrimary(connection, address, options.deadAfterMs);
      return connection;
    }
    case "cluster":
      return keepMapped(new Cluster([...address.nodes], clusterOptions(options, address)));
  }
}

function followPrimary(
  connection: Redis,
  { nodes: sentinels, name }: SentinelAddress,
  deadAfterMs = DEAD_AFTER_MS,
): void {
  followFailover(connection, { sentinels, name, reconnectDelayMs, deadAfterMs });
}

/**
 * ioredis' own interval for this (`slotsRefreshInterval`) is set anew after the connection was closed, and then for
 * ever, where closing falls together with a refresh or with the check of a connection just made.
 */
function keepMapped(cluster: Cluster): Cluster {
  const refreshing = setInterval(() => {
    if (cluster.status === "ready") cluster.refreshSlotsCache();
  }, SLOTS_REFRESH_INTERVAL_MS);
  refreshing.unref();
  cluster.once("end", () => clearInterval(refreshing));
  return cluster;
}

/** Waits for answers still owed, for at most a second, then cuts. May be called twice. */
export async function closeRedis(connection: RedisConnection): Promise<void> {
  if (connection.status === "end") return;
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_TIMEOUT_MS);
  });
  try {
    if (connection.status === "ready") await Promise.race([connection.quit().catch(() => undefined), limit]);
  } finally {
    clearTimeout(timer);
    connection.disconnect();
  }
}

export const isCluster = (connection: RedisConnection): connection is Cluster =>
  connection instanceof Cluster;

/** Doubles from 50 ms to 2 s, with up to a fifth of jitter so that a fleet does not come back as one. */
export function reconnectDelayMs(attempt: number): number {
  const delay = Math.min(50 * 2 ** Math.min(attempt - 1, 10), 2_000);
  return Math.round(delay * (0.8 + Math.random() * 0.2));
}

/** `replyMapping` stays at ioredis' default: `resp3` breaks BullMQ's events. */
type NodeOptions = Omit<RedisOptions, "replyMapping">;

function nodeOptions({ purpose, commandTimeoutMs }: OpenRedisOptions): NodeOptions {
  const common: NodeOptions = {
    connectTimeout: CONNECT_TIMEOUT_MS,
    keepAlive: 10_000,
    enableReadyCheck: true,
    // A primary that became a replica refuses writes; only a new connection can find the new primary.
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
  };
  if (purpose === "queue") return { ...common, maxRetriesPerRequest: null };
  if (purpose === "subscriber") {
    // ioredis restores subscriptions without looking at the answer: a connection that ends just then would
    // end the process with an unhandled rejection.
    return {
      ...common,
      maxRetriesPerRequest: null,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
    };
  }
  return {
    ...common,
    // With any other number ioredis forgets, unanswered, what was under way when a connection is cut.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: commandTimeoutMs ?? COMMAND_TIMEOUT_MS,
  };
}

function clusterOptions(options: OpenRedisOptions, address: ClusterAddress) {
  const forCommands = options.purpose === "commands";
  return {
    clusterRetryStrategy: reconnectDelayMs,
    // A node that is gone is let go: its commands fail at once, which makes ioredis ask the others for the new map.
    // Retried node by node, they would wait for the dead until their timeout (BullMQ's: for ever).
    clusterNodeRetryStrategy: null,
    shardedSubscribers: options.purpose === "subscriber",
    // Our own callers repeat in order; ioredis would repeat each command on a timer of its own.
    ...(forCommands ? { maxRedirections: 4 } : {}),
    redisOptions: {
      ...nodeOptions(options),
      ...credentialsOf(address),
    },
  };
}

interface Credentials {
  readonly username?: string;
  readonly password?: string;
}

interface ClusterAddress extends Credentials {
  readonly kind: "cluster";
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
}

interface SentinelAddress extends Credentials {
  readonly kind: "sentinel";
  /** Of the sentinels. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** The name under which sentinels know the primary. */
  readonly name: string;
}

type RedisAddress = { readonly kind: "single" } | ClusterAddress | SentinelAddress;

const credentialsOf = ({ username, password }: Credentials): Credentials => ({
  ...(username === undefined ? {} : { username }),
  ...(password === undefined ? {} : { password }),
});

export const REDIS_URL_FORMS =
  "redis://host:port, redis-cluster://host:port,host:port, redis-sentinel://host:port,host:port/name or unix:///path/of/redis.sock";

/** @throws GatewayError `config.invalid` */
export function parseRedisUrl(url: string): RedisAddress {
  const invalid = () => new GatewayError("config.invalid", `REDIS_URL must be ${REDIS_URL_FORMS}.`);
  if (!URL.canParse(url.replace(/,.*$/, ""))) throw invalid();
  if (/^(rediss?:\/\/|unix:\/\/\/)/.test(url)) return { kind: "single" };
  const [, kind, credentials, hosts, name = ""] =
    /^redis-(cluster|sentinel):\/\/(?:([^@]*)@)?([^/@]+)(?:\/([\w.-]*))?$/.exec(url) ?? [];
  if (hosts === undefined || (kind === "sentinel") !== (name !== "")) throw invalid();
  const nodes = hosts.split(",").map((text) => {
    const [, host, port] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
    if (host === undefined) throw invalid();
    return { host, port: Number(port) };
  });
  const [username, password] = (credentials ?? "").split(":", 2).map(decodeURIComponent);
  const common = { nodes, ...(username ? { username } : {}), ...(password ? { password } : {}) };
  return kind === "sentinel" ? { kind: "sentinel", name, ...common } : { kind: "cluster", ...common };
}
