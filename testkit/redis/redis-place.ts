import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type PrivateRedis, startPrivateRedis } from "../../scripts/private-redis.ts";

/** One address and one folder, at which a Redis can be killed and started again. The opener closes it. */
export class RedisPlace {
  readonly url: string;
  readonly #port: number;
  readonly #dir: string;
  readonly #args: readonly string[];
  #redis: PrivateRedis | undefined;

  /** `kept`: an append-only file, written before each answer; else a restart begins empty. */
  static async open(memory: "kept" | "forgotten"): Promise<RedisPlace> {
    const dir = await mkdtemp(join(tmpdir(), "tts-labs-place-"));
    const args = memory === "kept" ? ["--appendonly", "yes", "--appendfsync", "always"] : [];
    const place = new RedisPlace(await freePort(), dir, args);
    await place.start();
    return place;
  }

  private constructor(port: number, dir: string, args: readonly string[]) {
    this.#port = port;
    this.#dir = dir;
    this.#args = args;
    this.url = `redis://127.0.0.1:${port}`;
  }

  /** A running one is left alone. */
  async start(): Promise<void> {
    if (this.#redis !== undefined) return;
    this.#redis = await startPrivateRedis({
      port: this.#port,
      dir: this.#dir,
      args: this.#args,
      debug: true,
    });
  }

  /** As a crash does, without a goodbye. */
  async kill(): Promise<void> {
    if (this.#redis === undefined) return;
    process.kill(this.#redis.pid, "SIGKILL");
    await this.#redis.closed;
    this.#redis = undefined;
  }

  async close(): Promise<void> {
    await this.#redis?.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
