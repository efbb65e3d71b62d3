import { KeyStore } from "@tts-labs/core/access/key-store";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, openRedis } from "@tts-labs/core/redis/client";
import { Keys } from "@tts-labs/core/redis/keys";
import { expect, inject, onTestFinished, test } from "vitest";
import { startSystem } from "../../../testkit/fleet/system.ts";
import { metric } from "../../../testkit/ground/metrics.ts";

/** A system with two tenants; what one of them and then both hear of the same text, by `x-cache`. */
async function heardByTwo(cacheAcrossTenants: boolean): Promise<readonly (string | null)[]> {
  const redisUrl = inject("redisUrl");
  const edge = { access: "keys", cache: true, cacheAcrossTenants } as const;
  const system = await startSystem({ redisUrl, edge, simulator: { timeScale: 0.1 } });
  onTestFinished(() => system.close());
  const redis = openRedis({ url: redisUrl, purpose: "commands", logger: silentLogger });
  const store = new KeyStore(redis, new Keys(system.keyPrefix));
  const make = (tenant: string) => store.create({ tenant, name: "", role: "client" });
  const [{ key: one }, { key: other }] = [await make("one"), await make("other")];
  await closeRedis(redis);
  const ask = async (key: string) => {
    const response = await fetch(`${system.url}/api/v1/synthesize`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "audio/pcm", "x-api-key": key },
      body: JSON.stringify({ text: "The merger is off." }),
    });
    await response.arrayBuffer();
    return response.headers.get("x-cache");
  };
  const first = await ask(one);
  await expect.poll(() => metric(system.opsUrl, "tts_cache_stored_total")).toBe(1);
  return [first, await ask(one), await ask(other)];
}

test("speech in the cache is its tenant's own: another's request for the same words is no hit", async () => {
  expect(await heardByTwo(false)).toEqual(["miss", "hit", "miss"]);
});

test("speech in the cache is everybody's where the operator has chosen so (the twin)", async () => {
  expect(await heardByTwo(true)).toEqual(["miss", "hit", "hit"]);
});
