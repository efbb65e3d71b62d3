import { TextPause } from "@tts-labs/edge/shared-speech/text-pause";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

describe("the pause before a lookup", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function begin(text: string) {
    const pause = new TextPause();
    let isOver = false;
    void pause
      .wait(() => text)
      .then(() => {
        isOver = true;
      });
    return { pause, isOver: () => isOver };
  }
  const turn = () => vi.advanceTimersByTimeAsync(0);

  test.each(["The", "The train", "Dr. Who", ""])("%j does not wait for more than a turn", async (text) => {
    const { isOver } = begin(text);
    expect(isOver()).toBe(false);
    await turn();
    expect(isOver()).toBe(true);
  });

  test.each(["Hello.", "Hello!", "“Hello?”", "(Hello.) ", "Hallo …"])(
    "%j waits for its end",
    async (text) => {
      const { pause, isOver } = begin(text);
      await turn();
      expect(isOver()).toBe(false);
      pause.ended();
      await turn();
      expect(isOver()).toBe(true);
    },
  );

  test("but not for ever", async () => {
    const { isOver } = begin("Hello.");
    await vi.advanceTimersByTimeAsync(10);
    expect(isOver()).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("an end that came in the same turn needs no wait", async () => {
    const { pause, isOver } = begin("Hello.");
    pause.ended();
    await turn();
    expect(isOver()).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});
