import { setTimeout as pause } from "node:timers/promises";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { FoundSpeech, Way } from "./found-speech.ts";

/** Speech that has just ended is kept a little later; so long it is looked for. */
const LOOKS = 30;
const LOOK_EVERY_MS = 100;
const RUNNING_RETRY_MS = 1_000;

/**
 * A repeat is heard from the cache, or where it is being made; where neither can be, it is not made again.
 * @param repeatOf what the request before has come to; absent: this is none, and may be made
 * @param isOver true once it is wanted no more
 * @throws GatewayError `protocol.idempotency_spent`, retryable while the speech is being made
 */
export function findOrRepeat(
  text: string,
  repeatOf: "running" | "done" | undefined,
  found: Pick<FoundSpeech, "find" | "abandon" | "isCaching">,
  isOver: () => boolean,
): Promise<Way> {
  return repeatOf === undefined ? found.find(text) : findRepeat(text, repeatOf, found, isOver);
}

async function findRepeat(
  text: string,
  repeatOf: "running" | "done",
  found: Pick<FoundSpeech, "find" | "abandon" | "isCaching">,
  isOver: () => boolean,
): Promise<Way> {
  for (let look = 0; found.isCaching && look < LOOKS && !isOver(); look++) {
    if ((await found.find(text)) === "listen") return "listen";
    await found.abandon();
    await pause(LOOK_EVERY_MS);
  }
  if (repeatOf === "done") {
    throw new GatewayError(
      "protocol.idempotency_spent",
      "The speech of this Idempotency-Key was made before, and is not held any more: use another key to have it made again.",
    );
  }
  throw new GatewayError(
    "protocol.idempotency_spent",
    "The speech of this Idempotency-Key is just being made.",
    { retryable: true, retryAfterMs: RUNNING_RETRY_MS },
  );
}
