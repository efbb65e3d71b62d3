import { settleable } from "@tts-labs/core/async/settleable";
import { silentLogger } from "@tts-labs/core/logger";
import { Prewarms } from "@tts-labs/edge/session/prewarms";
import type { SessionOptions } from "@tts-labs/edge/session/session-options";
import { GatewayError } from "@tts-labs/protocol/errors";
import { describe, expect, test, vi } from "vitest";

function open(warm: () => Promise<number>) {
  const observer = { budgetReached: vi.fn(), prewarmed: vi.fn() };
  const services = { routes: { warm }, observer, logger: silentLogger };
  const settings = { pickupTimeoutMs: 100, defaults: { voice: "v", model: "m", sampleRateHz: 24_000 } };
  const options = { services, settings } as unknown as SessionOptions;
  return { prewarms: new Prewarms(options), observer };
}

describe("prewarms of a session", () => {
  test("wait up to 64 at once; one more is refused and counted, and room comes back with answers", async () => {
    const answer = settleable<number>();
    const { prewarms, observer } = open(() => answer.promise);
    const waiting = Array.from({ length: 64 }, () => prewarms.ask({}));
    await expect(prewarms.ask({})).rejects.toMatchObject({
      code: "capacity.overloaded",
      facts: { budget: "prewarms", limit: 64 },
    });
    expect(observer.budgetReached.mock.calls).toEqual([["prewarms", "refused"]]);
    answer.resolve(12);
    await Promise.all(waiting);
    expect(await prewarms.ask({ voice: "w" })).toEqual({ voice: "w", model: "m", connectMs: 12 });
    expect(observer.prewarmed.mock.calls).toEqual(Array.from({ length: 65 }, () => ["warm"]));
  });

  test("give their room back where they were refused, and count the reason", async () => {
    const { prewarms, observer } = open(async () => {
      throw new GatewayError("provider.voice_not_found");
    });
    for (let i = 0; i < 65; i++) {
      await expect(prewarms.ask({})).rejects.toMatchObject({ code: "provider.voice_not_found" });
    }
    expect(observer.prewarmed).toHaveBeenLastCalledWith("provider.voice_not_found");
  });

  test("end with their session, and none begins after it", async () => {
    const { prewarms } = open(() => Promise.reject(new GatewayError("internal")));
    prewarms.close();
    await expect(prewarms.ask({})).rejects.toMatchObject({ code: "cancelled.client_gone" });
  });
});
