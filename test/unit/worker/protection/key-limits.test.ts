import { silentLogger } from "@tts-labs/core/logger";
import { toProviderKeys } from "@tts-labs/worker/elevenlabs/account/provider-keys";
import { KeyLimits } from "@tts-labs/worker/protection/key-limits";
import { beforeEach, describe, expect, it, vi } from "vitest";

const info = vi.fn();
const changed = vi.fn();
/** What Redis holds, shared by the workers of a test. */
let told: Record<string, string>;
const redis = {
  hset: async (_name: string, keyId: string, slots: number) => {
    told[keyId] = String(slots);
    return 1;
  },
  pexpire: async () => 1,
  hgetall: async () => told,
};

beforeEach(() => {
  told = {};
  vi.clearAllMocks();
});

function open(slots: number | undefined) {
  const keys = toProviderKeys({ apiKey: "sk_one", apiKeys: undefined, slots });
  const limits = new KeyLimits({
    keys,
    name: "limits",
    changed,
    redis: redis as unknown as ConstructorParameters<typeof KeyLimits>[0]["redis"],
    logger: { ...silentLogger, info },
  });
  return { limits, keyId: keys[0]?.keyId ?? "", slots: () => limits.keys[0]?.slots };
}

describe("how many may generate with a key", () => {
  it("is what the provider's plan says where nothing is configured, said once", () => {
    const { limits, keyId, slots } = open(undefined);
    expect([slots(), limits.mayLimit]).toEqual([0, true]);
    limits.planned(keyId, 20, "the plan");
    limits.planned(keyId, 20, "the plan");
    expect(slots()).toBe(20);
    expect(info).toHaveBeenCalledTimes(1);
    expect(changed.mock.calls).toEqual([[keyId, 20]]);
  });

  it("is what a refusal has named, which other workers learn, too", async () => {
    const [one, other] = [open(undefined), open(undefined)];
    one.limits.planned(one.keyId, 20, "the plan");
    await one.limits.named(one.keyId, 12);
    expect(one.slots()).toBe(12);
    await other.limits.follow();
    expect(other.slots()).toBe(12);
    // Forgotten after a while: the plan may have grown.
    told = {};
    other.limits.close();
    await other.limits.follow();
    expect(other.slots()).toBe(0);
    other.limits.close();
  });

  it("never rises above a configured number, and falls below it only by a refusal", async () => {
    const { limits, keyId, slots } = open(5);
    limits.planned(keyId, 20, "the plan");
    await limits.named(keyId, 9);
    expect(slots()).toBe(5);
    limits.planned(keyId, 2, "the plan");
    expect(slots()).toBe(5);
    await limits.named(keyId, 3);
    expect(slots()).toBe(3);
  });

  it("is any number where that is configured", async () => {
    const { limits, keyId, slots } = open(0);
    limits.planned(keyId, 20, "the plan");
    await limits.named(keyId, 9);
    expect([slots(), limits.mayLimit]).toEqual([0, false]);
  });

  it("is not believed from Redis unless it is a number of generations", async () => {
    const { limits, keyId, slots } = open(undefined);
    for (const written of ["-3", "0", "many", "1.5", ""]) {
      told = { [keyId]: written };
      await limits.follow();
      limits.close();
      expect(slots()).toBe(0);
    }
  });
});
