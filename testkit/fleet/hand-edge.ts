import { newNodeId, newUtteranceId } from "@tts-labs/core/ids";
import { silentLogger } from "@tts-labs/core/logger";
import { openUtteranceQueue } from "@tts-labs/core/queue/bullmq";
import type { UtteranceQueue } from "@tts-labs/core/queue/utterance-job";
import { closeRedis, openRedis, type RedisConnection } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { encodeTextEntry, type TextEntry } from "@tts-labs/core/session/entries";
import { openRedisStreams } from "@tts-labs/core/stream/redis-stream";
import type { StreamReader, StreamStore, StreamWriter } from "@tts-labs/core/stream/stream";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import { type Heard, listenTo } from "../clients/listen-to.ts";

const STREAM_OPTIONS = { owner: "edge", maxBytes: 2 * 1024 * 1024, ttlMs: 60_000 };
export const SPEECH: SpeechOptions = {
  voice: "simEnglishGrace0000A",
  model: "eleven_flash_v2_5",
  autoMode: false,
  sampleRateHz: 24_000,
};

/** What an edge does for an utterance, by hand: text and job in, audio out, over a real Redis. */
export class HandEdge {
  readonly redis: RedisConnection;
  readonly keys: Keys;
  readonly streams: StreamStore;
  readonly queue: UtteranceQueue;
  readonly #subscriber: RedisConnection;

  private constructor(redis: RedisConnection, subscriber: RedisConnection, keys: Keys, streams: StreamStore) {
    this.redis = redis;
    this.#subscriber = subscriber;
    this.keys = keys;
    this.streams = streams;
    this.queue = openUtteranceQueue({ redis, keys, logger: silentLogger });
  }

  static async open(redisUrl: string, keyPrefix: string): Promise<HandEdge> {
    const redis = openRedis({ url: redisUrl, purpose: "commands", logger: silentLogger });
    const subscriber = openRedis({ url: redisUrl, purpose: "subscriber", logger: silentLogger });
    const keys = new Keys(keyPrefix);
    const nodeId = newNodeId("edge");
    const streams = await openRedisStreams({ redis, subscriber, keys, nodeId, logger: silentLogger });
    return new HandEdge(redis, subscriber, keys, streams);
  }

  /** Opens an utterance with `entries` and enqueues its job. */
  async utterance(
    entries: readonly TextEntry[],
    speech: Partial<SpeechOptions> = {},
  ): Promise<HandUtterance> {
    const utteranceId = newUtteranceId();
    const text = await this.streams.claim({ tag: utteranceId, name: "text" }, STREAM_OPTIONS);
    await text.append(entries.map(encodeTextEntry));
    await this.queue.add({
      utteranceId,
      sessionId: "ses_by_hand",
      requestId: "req_by_hand",
      speech: { ...SPEECH, ...speech },
      enqueuedAtMs: Date.now(),
    });
    return new HandUtterance(utteranceId, text, this.streams);
  }

  /** Speaks `text` and hears all of it. */
  async speak(text: string, speech: Partial<SpeechOptions> = {}): Promise<Heard> {
    const utterance = await this.utterance([{ kind: "text", text }, { kind: "end" }], speech);
    return utterance.listen();
  }

  async keysWithoutTtl(): Promise<string[]> {
    const lasting: string[] = [];
    for (const key of await this.redis.keys(`*${this.keys.prefix}*`)) {
      if ((await this.redis.pttl(key)) === -1) lasting.push(key);
    }
    return lasting.sort();
  }

  async close(): Promise<void> {
    await this.queue.close();
    await this.streams.close();
    await Promise.all([closeRedis(this.redis), closeRedis(this.#subscriber)]);
  }
}

export class HandUtterance {
  readonly utteranceId: string;
  readonly #text: StreamWriter;
  readonly #streams: StreamStore;

  constructor(utteranceId: string, text: StreamWriter, streams: StreamStore) {
    this.utteranceId = utteranceId;
    this.#text = text;
    this.#streams = streams;
  }

  async send(...entries: TextEntry[]): Promise<void> {
    await this.#text.append(entries.map(encodeTextEntry));
  }

  reader(): StreamReader {
    return this.#streams.reader(
      { tag: this.utteranceId, name: "audio" },
      { readerId: "by-hand", ttlMs: STREAM_OPTIONS.ttlMs },
    );
  }

  /** The audio to its end, released as it is heard. Fails when nothing comes for `patienceMs`. */
  listen(patienceMs = 20_000): Promise<Heard> {
    return listenTo(this.reader(), patienceMs);
  }
}
