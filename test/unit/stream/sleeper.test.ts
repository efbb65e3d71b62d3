import { Sleeper } from "@tts-labs/core/stream/sleeper";
import { describe, expect, it } from "vitest";

describe("a sleeper", () => {
  it("wakes when rung", async () => {
    const sleeper = new Sleeper();
    const sleeping = sleeper.sleep(10_000);
    sleeper.ring();
    expect(await sleeping).toBe("bell");
  });

  it("does not lie down when it was rung before, but does the next time", async () => {
    const sleeper = new Sleeper();
    sleeper.ring();
    sleeper.ring();
    expect(await sleeper.sleep(10_000)).toBe("bell");
    expect(await sleeper.sleep(1)).toBe("clock");
  });

  it("forgets rings on request", async () => {
    const sleeper = new Sleeper();
    sleeper.ring();
    sleeper.forget();
    expect(await sleeper.sleep(1)).toBe("clock");
  });

  it("gives up with the signal's reason, and sleeps again later", async () => {
    const sleeper = new Sleeper();
    const giveUp = new AbortController();
    const sleeping = sleeper.sleep(10_000, giveUp.signal);
    giveUp.abort(new Error("cancelled"));
    await expect(sleeping).rejects.toThrow("cancelled");
    await expect(sleeper.sleep(10_000, giveUp.signal)).rejects.toThrow("cancelled");
    expect(await sleeper.sleep(1)).toBe("clock");
  });
});
