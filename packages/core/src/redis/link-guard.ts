import { GatewayError } from "@tts-labs/protocol/errors";
import { Cluster, type Redis } from "ioredis";

/** How often the guard looks. One look without a byte counts as a silence of this long, however late it comes. */
const LOOK_EVERY_MS = 500;
/** Silence after which a PING is sent, so that a healthy connection always has something to say. */
const PING_AFTER_MS = 1_000;
/**
 * Silence after which a connection no longer counts as working. Longer than `MAX_BLOCK_MS`, since nothing is
 * answered, not even a PING, while a command blocks.
 */
const UNHEARD_AFTER_MS = 3_000;
/** A PING may stay unanswered for this many times `deadAfterMs` while other bytes arrive: published messages, say. */
const PING_PATIENCE = 2.5;
/** Longest a command may block on a guarded connection. */
export const MAX_BLOCK_MS = 2_000;

/** What is known of one socket. All counts are in looks. */
interface WatchedSocket {
  readonly stream: Redis["stream"];
  bytesRead: number;
  silent: number;
  pingWaits: number;
  isPinging: boolean;
}

/** ioredis keeps these to itself; test/fault/redis/dead-link.test.ts notices should that change. */
interface HasShardedSubscribers {
  readonly shardedSubscribers?: {
    readonly shardedSubscribers: ReadonlyMap<string, { getInstance(): Redis | null }>;
  };
}

/**
 * Notices that a connection is dead although neither side closed it: a firewall has dropped its state, the other
 * machine has lost power, or a server hangs whose kernel still acknowledges. TCP alone takes minutes to find out.
 *
 * Twice a second the guard looks whether each socket of the connection has received a byte. A socket that has been
 * silent for a second is sent a PING, and one that has been silent for `deadAfterMs` all the same is destroyed, after
 * which ioredis reconnects. Time is counted in looks, not by the clock: between two looks the event loop
 * has read what had arrived, so a process that was busy for seconds does not take its own delay for silence.
 *
 * The guard also covers the nodes of a cluster, its sharded subscribers, and the connections that BullMQ makes by
 * duplicating the one it was given.
 */
export class LinkGuard {
  readonly #connection: Redis | Cluster;
  readonly #deadAfterMs: number;
  readonly #sockets = new Map<Redis, WatchedSocket>();
  readonly #duplicates = new Set<LinkGuard>();
  #timer: NodeJS.Timeout | undefined;

  /** @param deadAfterMs 0: never destroys a socket, and only tells which are silent */
  constructor(connection: Redis | Cluster, deadAfterMs: number) {
    this.#connection = connection;
    this.#deadAfterMs = deadAfterMs;
    this.#start();
    connection.on("end", () => this.#stop());
  }

  /** Whether the connection, and every duplicate of it, is ready and was heard not long ago. */
  get isHeard(): boolean {
    if (this.#connection.status !== "ready") return false;
    for (const { stream, silent } of this.#sockets.values()) {
      // One that has said goodbye, and waits for an answer, is of no use any more.
      if (stream.writableEnded || silent * LOOK_EVERY_MS >= UNHEARD_AFTER_MS) return false;
    }
    for (const duplicate of this.#duplicates) if (!duplicate.isHeard) return false;
    return true;
  }

  /** Takes in a duplicate of the connection, which may end and connect again. */
  cover(duplicate: Redis | Cluster): void {
    const guard = new LinkGuard(duplicate, this.#deadAfterMs);
    this.#duplicates.add(guard);
    duplicate.on("connecting", () => {
      this.#duplicates.add(guard);
      guard.#start();
    });
    duplicate.on("end", () => this.#duplicates.delete(guard));
  }

  /** Destroys every socket, which makes ioredis connect anew. */
  cut(reason: string): void {
    for (const node of this.#nodes()) {
      if (node.stream !== undefined && node.status !== "wait") node.stream.destroy(deadLink(reason));
    }
  }

  #start(): void {
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#sockets.clear();
  }

  #nodes(): readonly Redis[] {
    const connection = this.#connection;
    if (!(connection instanceof Cluster)) return [connection];
    const { shardedSubscribers } = connection as unknown as HasShardedSubscribers;
    const subscribers = [...(shardedSubscribers?.shardedSubscribers.values() ?? [])]
      .map((it) => it.getInstance())
      .filter((it) => it !== null);
    return [...connection.nodes("all"), ...subscribers];
  }

  #look(): void {
    const nodes = new Set(this.#nodes());
    for (const node of this.#sockets.keys()) if (!nodes.has(node)) this.#sockets.delete(node);
    for (const node of nodes) this.#lookAt(node);
  }

  #lookAt(node: Redis): void {
    const { stream, status } = node;
    // A connection still being made has its own limit, `connectTimeout`.
    if (stream === undefined || stream.destroyed || status === "wait" || status === "connecting") {
      this.#sockets.delete(node);
      return;
    }
    const socket = this.#sockets.get(node);
    if (socket?.stream !== stream) {
      const { bytesRead } = stream;
      this.#sockets.set(node, { stream, bytesRead, silent: 0, pingWaits: 0, isPinging: false });
      return;
    }
    socket.silent = stream.bytesRead === socket.bytesRead ? socket.silent + 1 : 0;
    socket.bytesRead = stream.bytesRead;
    if (socket.isPinging) socket.pingWaits += 1;
    if (this.#isDead(socket)) stream.destroy(deadLink(`Redis has sent nothing for ${this.#deadAfterMs} ms.`));
    else if (status === "ready" && socket.silent * LOOK_EVERY_MS >= PING_AFTER_MS) ping(node, socket);
  }

  #isDead({ silent, pingWaits }: WatchedSocket): boolean {
    const deadAfterMs = this.#deadAfterMs;
    if (deadAfterMs === 0) return false;
    return silent * LOOK_EVERY_MS >= deadAfterMs || pingWaits * LOOK_EVERY_MS >= deadAfterMs * PING_PATIENCE;
  }
}

function ping(node: Redis, socket: WatchedSocket): void {
  if (socket.isPinging) return;
  socket.isPinging = true;
  node.ping().then(
    () => {
      socket.isPinging = false;
      socket.pingWaits = 0;
    },
    // By its own timeout, or with its socket: how long none has been answered is counted on.
    () => {
      socket.isPinging = false;
    },
  );
}

const deadLink = (reason: string): GatewayError => new GatewayError("storage.timeout", reason);

const guards = new WeakMap<Redis | Cluster, LinkGuard>();

export function guardLink(connection: Redis | Cluster, deadAfterMs: number): LinkGuard {
  const guard = new LinkGuard(connection, deadAfterMs);
  guards.set(connection, guard);
  return guard;
}

/** The guard of a connection made by `openRedis`; none of any other. */
export const guardOf = (connection: Redis | Cluster): LinkGuard | undefined => guards.get(connection);
