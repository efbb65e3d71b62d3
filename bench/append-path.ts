import { randomBytes } from "node:crypto";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { TickBatch } from "@tts-labs/core/redis/tick-batch";
import { openRedisStreams } from "@tts-labs/core/stream/redis-stream";
import { startPrivateRedis } from "../scripts/private-redis.ts";

/**
 * How an entry gets into a stream, and what it costs: ways of appending side by side, and the whole way from
 * append to read through two stores. docs/adr/0001-append-path.md draws the conclusion.
 *
 * `npm run bench -- append [--json] [--entries 6000] [--rounds 3]`
 */

/** A chunk of 200 ms at 24 kHz. */
const ENTRY_BYTES = 9_600;
/** Of a stream: some 20 s of speech. */
const MAX_BYTES = 1_000_000;
const TTL_MS = 60_000;
const BODY = randomBytes(ENTRY_BYTES);
const HEAD = JSON.stringify({ s: 123_456 });

type Append = (stream: string, seq: number) => Promise<unknown>;

interface Way {
  readonly name: string;
  readonly open: (redis: RedisConnection) => Append;
}

const xadd = (stream: string, seq: number) =>
  [`{${stream}}:entries`, `${seq}-0`, "h", HEAD, "b", BODY] as const;
const sleepers = (stream: string) => `{${stream}}:sleepers`;

const WAYS: readonly Way[] = [
  {
    name: "plain commands, one write per tick (ours)",
    open: (redis) => {
      const batch = new TickBatch(redis);
      return (stream, seq) =>
        batch.run(0, [
          { name: "xadd", args: xadd(stream, seq) },
          { name: "spop", args: [sleepers(stream), 256] },
        ]);
    },
  },
  {
    name: "plain commands, one pipeline per tick",
    open: pipelinePerTick,
  },
  {
    name: "plain commands, one pipeline per append",
    open: (redis) => (stream, seq) =>
      redis
        .pipeline()
        .xadd(...xadd(stream, seq))
        .spop(sleepers(stream), 256)
        .exec(),
  },
  {
    name: "plain commands, no pipeline",
    open: (redis) => (stream, seq) =>
      Promise.all([redis.xadd(...xadd(stream, seq)), redis.spop(sleepers(stream), 256)]),
  },
  {
    name: "one script that carries the payload",
    open: (redis) => {
      const lua = `redis.call('XADD', KEYS[1], ARGV[1], 'h', ARGV[2], 'b', ARGV[3])
        return redis.call('SPOP', KEYS[2], 256)`;
      const loaded = redis.script("LOAD", lua) as Promise<string>;
      return async (stream, seq) => {
        const [entries, id, , head, , body] = xadd(stream, seq);
        return redis.evalsha(await loaded, 2, entries, sleepers(stream), id, head, body);
      };
    },
  },
];

/** What TickBatch does on a cluster, and did on a single Redis before. */
function pipelinePerTick(redis: RedisConnection): Append {
  let waiting: { stream: string; seq: number; done: () => void }[] = [];
  const send = async () => {
    const appends = waiting;
    waiting = [];
    const pipeline = redis.pipeline();
    for (const { stream, seq } of appends) pipeline.xadd(...xadd(stream, seq)).spop(sleepers(stream), 256);
    await pipeline.exec();
    for (const { done } of appends) done();
  };
  return (stream, seq) =>
    new Promise<void>((done) => {
      if (waiting.length === 0) setImmediate(() => void send());
      waiting.push({ stream, seq, done });
    });
}

interface Cost {
  readonly way: string;
  readonly streams: number;
  readonly redisMicros: number;
  readonly processMicros: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export async function run(args: readonly string[]): Promise<void> {
  const option = (name: string, otherwise: number) => {
    const at = args.indexOf(`--${name}`);
    return at < 0 ? otherwise : Number(args[at + 1]);
  };
  const entries = option("entries", 6_000);
  const rounds = option("rounds", 3);
  const server = await startPrivateRedis();
  const redis = openRedis({ url: server.url, purpose: "commands", logger: silentLogger });
  try {
    const costs: Cost[] = [];
    for (const streams of [1, 16, 256]) {
      const samples = new Map<string, Cost[]>();
      // Rounds go through all ways in turn, so that a busy neighbour hurts each alike. The first is for warmth.
      for (let round = 0; round <= rounds; round += 1) {
        for (const way of WAYS) {
          const cost = await measureAppends(redis, way, streams, streams === 1 ? entries / 3 : entries);
          if (round > 0) samples.set(way.name, [...(samples.get(way.name) ?? []), cost]);
        }
      }
      for (const [, found] of samples) costs.push(medianOf(found));
    }
    show("ways to append, µs of CPU per entry of 9.6 KB", costs);
    const passages: Cost[] = [];
    for (const [streams, perSecond] of [
      [1, 50],
      [50, 500],
      [500, 4_000],
    ] as const) {
      passages.push(await measurePassage(server.url, redis, streams, perSecond));
    }
    show("append to read through two stores of one process, every entry met by a sleeper", passages);
    if (args.includes("--json"))
      process.stdout.write(`${JSON.stringify({ entryBytes: ENTRY_BYTES, costs, passages })}\n`);
  } finally {
    await closeRedis(redis);
    await server.stop();
  }
}

/** Each stream appends as soon as its last append was answered. */
async function measureAppends(
  redis: RedisConnection,
  way: Way,
  streams: number,
  entries: number,
): Promise<Cost> {
  await redis.flushall();
  const append = way.open(redis);
  const perStream = Math.floor(entries / streams);
  const tookMs: number[] = [];
  const meter = await startMeter(redis);
  await Promise.all(
    Array.from({ length: streams }, async (_, index) => {
      for (let seq = 1; seq <= perStream; seq += 1) {
        const beganAtMs = performance.now();
        await append(`utt_${index}`, seq);
        tookMs.push(performance.now() - beganAtMs);
      }
    }),
  );
  return { way: way.name, streams, ...(await meter(tookMs.length)), ...percentiles(tookMs) };
}

/** Real stores: every stream has a sleeping reader, which meets every single entry: the worst case for bells. */
async function measurePassage(
  url: string,
  admin: RedisConnection,
  streams: number,
  perSecond: number,
): Promise<Cost> {
  await admin.flushall();
  const logger = silentLogger;
  const keys = new Keys("bench");
  const open = async (nodeId: string) => {
    const redis = openRedis({ url, purpose: "commands", logger });
    const subscriber = openRedis({ url, purpose: "subscriber", logger });
    const store = await openRedisStreams({ redis, subscriber, keys, nodeId, logger });
    const close = async () => {
      await store.close();
      await Promise.all([closeRedis(redis), closeRedis(subscriber)]);
    };
    return { store, close };
  };
  const [writing, reading] = [await open("worker"), await open("edge")];
  const tookMs: number[] = [];
  const seconds = 4;
  const perStream = Math.round((perSecond * seconds) / streams);
  const pauseMs = (seconds * 1_000) / perStream;
  const pairs = await Promise.all(
    Array.from({ length: streams }, async (_, index) => {
      const stream = { tag: `utt_${index}`, name: "audio" } as const;
      const writer = await writing.store.claim(stream, {
        owner: "bench",
        maxBytes: MAX_BYTES,
        ttlMs: TTL_MS,
      });
      const reader = reading.store.reader(stream, { readerId: "edge", ttlMs: TTL_MS });
      return { writer, reader, first: reader.read(8) };
    }),
  );
  const meter = await startMeter(admin);
  await Promise.all(
    pairs.map(async ({ writer, reader, first }, index) => {
      let next = first;
      const startMs = performance.now() + (index / streams) * pauseMs;
      for (let number = 0; number < perStream; number += 1) {
        await until(startMs + number * pauseMs);
        const beganAtMs = performance.now();
        const [, result] = await Promise.all([writer.append([{ head: HEAD, body: BODY }]), next]);
        tookMs.push(performance.now() - beganAtMs);
        if (result.kind !== "entries") throw new Error(`the reader met ${result.kind}`);
        reader.advance(result.entries.at(-1)?.seq ?? 0);
        next = reader.read(8);
      }
      await writer.end("");
      await next;
      await reader.close();
      writer.close();
    }),
  );
  const cost = {
    way: `append to read, ${perSecond} entries/s`,
    streams,
    ...(await meter(tookMs.length)),
    ...percentiles(tookMs),
  };
  await Promise.all([writing.close(), reading.close()]);
  return cost;
}

const until = (atMs: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, atMs - performance.now())));

/** CPU from here on, of Redis and of this process, per entry. */
async function startMeter(redis: RedisConnection) {
  const redisBefore = await redisCpuMicros(redis);
  const processBefore = process.cpuUsage();
  return async (entries: number) => {
    const used = process.cpuUsage(processBefore);
    const redisMicros = ((await redisCpuMicros(redis)) - redisBefore) / entries;
    return { redisMicros, processMicros: (used.user + used.system) / entries };
  };
}

async function redisCpuMicros(redis: RedisConnection): Promise<number> {
  const info = await redis.info("cpu");
  const seconds = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)?.[1]);
  return (seconds("used_cpu_user") + seconds("used_cpu_sys")) * 1e6;
}

function percentiles(tookMs: number[]) {
  const sorted = tookMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** Spread of each figure by itself. */
function medianOf(costs: readonly Cost[]): Cost {
  const median = (pick: (cost: Cost) => number) => {
    const sorted = costs.map(pick).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? 0;
  };
  const { way = "", streams = 0 } = costs[0] ?? {};
  return {
    way,
    streams,
    redisMicros: median((cost) => cost.redisMicros),
    processMicros: median((cost) => cost.processMicros),
    p50Ms: median((cost) => cost.p50Ms),
    p99Ms: median((cost) => cost.p99Ms),
  };
}

function show(title: string, costs: readonly Cost[]): void {
  process.stderr.write(`\n${title}\n`);
  for (const { way, streams, redisMicros, processMicros, p50Ms, p99Ms } of costs) {
    const figures = [redisMicros.toFixed(1), processMicros.toFixed(1), p50Ms.toFixed(2), p99Ms.toFixed(2)];
    const [redis, own, p50, p99] = figures.map((figure) => figure.padStart(7));
    process.stderr.write(
      `${way.padEnd(40)} ${String(streams).padStart(4)} streams  redis ${redis}  process ${own}  p50 ${p50} ms  p99 ${p99} ms\n`,
    );
  }
}
