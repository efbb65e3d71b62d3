import type { Utterance } from "@tts-labs/client/utterance";
import { expect } from "vitest";
import type { ChaosProxy } from "../redis/chaos-proxy.ts";

/**
 * Hears it, with all connections cut each time that another `cutEvery` samples have come; none comes twice, none is
 * left out.
 */
export async function hearCut(
  utterance: Utterance,
  proxies: readonly Pick<ChaosProxy, "cut">[],
  cutEvery: number,
): Promise<Buffer> {
  const pcm: Buffer[] = [];
  let received = 0;
  let nextCut = cutEvery;
  for await (const { firstSample, samples } of utterance) {
    expect(firstSample).toBe(received);
    received += samples.length;
    pcm.push(Buffer.from(samples.buffer));
    if (received < nextCut) continue;
    nextCut += cutEvery;
    for (const proxy of proxies) proxy.cut();
  }
  return Buffer.concat(pcm);
}
